//! How the page calls: bytes of JSON in the module's memory, given by address and length.

#![expect(unsafe_code, reason = "the page hands over and takes memory by address")]

use std::cell::RefCell;

use crate::Pad;

/// The longest question, in bytes: a page of events, each as long as it may be.
const QUESTION_LEN_MAX: usize = 8 << 20;

thread_local! {
    static PAD: RefCell<Pad> = RefCell::default();
}

fn forget(bytes: Vec<u8>) -> (*mut u8, usize) {
    let bytes = Box::leak(bytes.into_boxed_slice());
    (bytes.as_mut_ptr(), bytes.len())
}

/// Memory for a question of `len` bytes; none (0) where that is too long.
#[unsafe(no_mangle)]
pub extern "C" fn pad_alloc(len: usize) -> *mut u8 {
    if len > QUESTION_LEN_MAX { std::ptr::null_mut() } else { forget(vec![0; len]).0 }
}

/// Takes memory back.
///
/// # Safety
/// `at` and `len` are those of [`pad_alloc`] or of an answer, and are not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pad_free(at: *mut u8, len: usize) {
    // SAFETY: the caller gives back what `forget` made of a boxed slice of that length.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(at, len)) });
}

/// Answers the question at `at`: the answer's address in the upper half, its length in the lower.
///
/// # Safety
/// `at` and `len` are those of [`pad_alloc`]; the question's memory stays the caller's, and the answer's becomes so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pad_answer(at: *const u8, len: usize) -> u64 {
    // SAFETY: the caller gives memory that `pad_alloc` made, and nobody writes to it meanwhile.
    let question = unsafe { std::slice::from_raw_parts(at, len) };
    let answer = PAD.with_borrow_mut(|pad| pad.answer(question));
    let (at, len) = forget(answer);
    (at as u64) << 32 | len as u64
}
