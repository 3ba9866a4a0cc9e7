//! What protects an account is written only by functions that take a `Proof`, which the gate makes; so a method that is not
//! a door cannot reach such a write. The exceptions stand here, each with its reason.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The functions of the store that write a factor, a password, an address, a role, a token, a setting, or whether a user
/// may log in.
const WRITES: [&str; 26] = [
    "insert_user",
    "set_password",
    "renew_password",
    "replace_password",
    "deactivate",
    "change_unless_last",
    "replace_email",
    "set_roles",
    "set_active",
    "add_email",
    "remove_email",
    "verify_email",
    "set_email_codes",
    "begin_totp",
    "confirm_totp",
    "remove_totp",
    "replace_backup_codes",
    "add_passkey",
    "rename_passkey",
    "remove_passkey",
    "remove_passkeys",
    "insert_token",
    "insert_token_beside",
    "replace_personal_token",
    "delete_personal_token",
    "put_setting",
];

/// The functions that write without a `Proof`. The store itself is left out.
const EXCEPTIONS: [(&str, &str); 9] = [
    // A new user is the caller's own, or an operator's.
    ("accounts/mod.rs", "add_user"),
    ("accounts/sign_up.rs", "insert"),
    ("accounts/import/mod.rs", "import"),
    // A link that was mailed to the address proves it.
    ("accounts/methods.rs", "reset_password"),
    ("accounts/methods.rs", "verify_email"),
    // A login shows the password and the factors itself.
    ("accounts/tokens/mod.rs", "issue"),
    // The same password, hashed with the present cost.
    ("accounts/passwords.rs", "rehash"),
    // Of `set_active`, which takes a proof, and of `remove`, which only operators call.
    ("accounts/users/mod.rs", "change_unless_last_admin"),
    // The new token ends when the old one would have, and is not trusted.
    ("accounts/tokens/mod.rs", "renew"),
];

/// How often a `Proof` is made without the gate, by file.
const MADE_WITHOUT_THE_GATE: [(&str, usize); 4] = [
    // Operators and the application.
    ("accounts/handle.rs", 4),
    // The old password of a user without a factor; a link that was used up.
    ("accounts/methods.rs", 2),
    // A code that is a parameter of the call.
    ("two_factor/codes.rs", 1),
    // A challenge that was given out for a proof, to this user and login within five minutes.
    ("two_factor/passkeys/owner.rs", 1),
];

#[test]
fn what_protects_accounts_is_written_only_with_a_proof() {
    let mut unproven = BTreeSet::new();
    for (file, text) in sources().into_iter().filter(|(file, _)| !file.starts_with("store/")) {
        for write in WRITES {
            for function in callers(&text, write) {
                let is_exception = EXCEPTIONS.contains(&(&*file, &*function.name));
                if !function.takes_proof && !is_exception {
                    unproven.insert(format!("{file}: `{}` calls `{write}`", function.name));
                }
            }
        }
    }
    assert!(unproven.is_empty(), "these functions must take a Proof:\n{unproven:#?}");
}

#[test]
fn the_writes_are_functions_of_the_store() {
    let store = sources().into_iter().filter(|(file, _)| file.starts_with("store/"));
    let text: String = store.map(|(_, text)| text).collect();
    for write in WRITES {
        let is_there = ["<", "("].iter().any(|next| text.contains(&format!("fn {write}{next}")));
        assert!(is_there, "the store has no function `{write}`");
    }
}

#[test]
fn a_proof_is_made_by_the_gate_except_where_it_is_listed() {
    let made = sources().into_iter().map(|(file, text)| (file, text.matches("Proof::by(").count()));
    let made: BTreeSet<(String, usize)> = made.filter(|(_, count)| *count > 0).collect();
    let expected = MADE_WITHOUT_THE_GATE.map(|(file, count)| (file.to_owned(), count));
    assert_eq!(made, BTreeSet::from(expected));
}

#[test]
fn the_callers_of_a_write_are_found_with_their_signatures() {
    let text = "async fn one(&self, _: &Proof) -> () {\n self.store.set_roles(a);\n}\nfn two() {\n core\n  .store\n";
    let text = format!("{text}  .set_roles(b);\n}}\nfn three() {{\n users.set_roles(b, &proof);\n}}");
    let found = callers(&joined(&text), "set_roles");
    let found: Vec<(&str, bool)> = found.iter().map(|own| (own.name.as_str(), own.takes_proof)).collect();
    assert_eq!(found, [("one", true), ("two", false)]);
}

struct Function {
    name: String,
    takes_proof: bool,
}

/// Returns the functions that call a function of this name, except for those that hand on a proof.
fn callers(text: &str, write: &str) -> Vec<Function> {
    let hands_on_proof = |call: &str| {
        let call = call.split(';').next().unwrap_or_default();
        ["proof", "Proof", "prove("].iter().any(|word| call.contains(word))
    };
    let calls = text.match_indices(&format!(".{write}(")).map(|(at, _)| at).collect::<Vec<_>>();
    calls.into_iter().filter(|at| !hands_on_proof(&text[*at..])).map(|at| function_around(&text[..at])).collect()
}

/// Returns the function whose text ends here.
fn function_around(before: &str) -> Function {
    let start = before.rfind("fn ").unwrap_or_default();
    let signature = before[start..].split(" {\n").next().unwrap_or_default();
    let name = signature.trim_start_matches("fn ").split(['(', '<']).next().unwrap_or_default();
    Function { name: name.to_owned(), takes_proof: signature.contains("Proof") }
}

/// Returns a text in which chains of calls are not broken into lines.
fn joined(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for line in text.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with('.') {
            whole.push_str(trimmed);
        } else {
            whole.push('\n');
            whole.push_str(line);
        }
    }
    whole
}

/// Returns the sources of the library without their tests, with their paths below `src`.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of src") {
            let path: PathBuf = entry.expect("an entry of a folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.starts_with(root.join("bin")) {
                // The program is the operator.
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a file that was listed");
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let name = path.strip_prefix(&root).expect("a file of src").display().to_string();
                found.push((name, joined(text)));
            }
        }
    }
    found
}
