use vsr_core::Error;
use vsr_core::threads::{guarded, install, install_watched};

#[test]
fn work_runs_in_the_pool() {
    assert!(install(|| rayon::current_thread_index().is_some()).unwrap());
    assert!(install_watched(|| rayon::current_thread_index().is_some(), || {}).unwrap());
}

#[test]
fn a_panic_of_another_library_is_an_error() {
    let result = install_watched(|| if true { std::panic::resume_unwind(Box::new("gone")) } else { 1 }, || {});
    assert!(matches!(result, Err(Error::Panic(message)) if message == "gone"));
}

#[test]
fn a_panic_of_another_library_is_guarded_against_where_it_is_called() {
    let result = guarded(|| if true { std::panic::resume_unwind(Box::new("gone".to_owned())) } else { 1 });
    assert!(matches!(result, Err(Error::Panic(message)) if message == "gone"));
    assert_eq!(guarded(|| 1).unwrap(), 1);
}

#[test]
fn somebody_watches_while_work_goes_on() {
    let mut n_looks = 0;
    install_watched(|| std::thread::sleep(std::time::Duration::from_millis(350)), || n_looks += 1).unwrap();
    assert!(n_looks > 0);
}
