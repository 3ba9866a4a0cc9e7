//! [`named!`]: an enum with the name of each variant beside it, so that no list of names can miss one.

/// Declares an enum, with the names of its variants: `ALL` and `as_str`.
macro_rules! named {
    ($(#[$attribute:meta])* $visibility:vis enum $type:ident {
        $($(#[$documentation:meta])* $variant:ident = $name:literal,)+
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility enum $type {
            $($(#[$documentation])* $variant,)+
        }

        impl $type {
            /// All of them, in the order of their declaration.
            $visibility const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the name by which it is stored or shown.
            #[must_use]
            $visibility const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}
pub(crate) use named;
