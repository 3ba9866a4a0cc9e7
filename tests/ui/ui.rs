//! The compiler's errors for handlers with a wrong signature. `TRYBUILD=overwrite cargo test -p bolide-ui-tests` accepts
//! changed ones.

#[test]
fn the_compiler_explains_what_is_wrong_with_a_handler() {
    let cases = trybuild::TestCases::new();
    cases.pass("cases/handlers.rs");
    cases.compile_fail("cases/not_async.rs");
    cases.compile_fail("cases/blocking_async.rs");
    cases.compile_fail("cases/first_parameter.rs");
    cases.compile_fail("cases/parameter_type.rs");
    cases.compile_fail("cases/return_type.rs");
    cases.compile_fail("cases/no_policy.rs");
}
