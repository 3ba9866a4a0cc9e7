use crate::process::Process;
use crate::server::DataDirectory;
use crate::state::State;

#[test]
fn this_process_has_memory_and_open_files() {
    let data = DataDirectory::create().unwrap();
    let state = State::of(Process(std::process::id()), &data).unwrap();
    assert!(state.memory > 100_000 && state.files > 2, "{state:?}");
    assert_eq!(state.disk, 0);
}
