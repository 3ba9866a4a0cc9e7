use crate::processor::busy_ticks;

#[test]
fn a_core_is_busy_with_programs_and_their_system_calls() {
    let text = "cpu  100 20 30 4 5\ncpu0 50 10 15 2 5 7\ncpu1 1 2 3 4 5\ncpu10 9 9 9 9\nintr 1 2";
    assert_eq!([0, 1, 10, 2].map(|core| busy_ticks(text, core)), [Some(75), Some(6), Some(27), None]);
}
