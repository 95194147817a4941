//! What NVIDIA's driver knows of a GPU; libtorch's C interface does not tell it.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::open_library;

/// Longest name, in bytes, with the zero at its end.
const NAME_BYTES: usize = 256;

/// Numbers of attributes in cuda.h.
const COMPUTE_CAPABILITY_MAJOR: c_int = 75;

/// The first major compute capability whose arithmetic units take bf16.
const FIRST_WITH_BF16: c_int = 8;

type DeviceGet = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
type DeviceGetName = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
type DeviceTotalMemory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
type PrimaryContextRetain = unsafe extern "C" fn(*mut *mut c_void, c_int) -> c_int;
type ContextPush = unsafe extern "C" fn(*mut c_void) -> c_int;
type ContextPop = unsafe extern "C" fn(*mut *mut c_void) -> c_int;
type MemoryInfo = unsafe extern "C" fn(*mut usize, *mut usize) -> c_int;
type DeviceGetAttribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;

/// A GPU; what the driver does not tell is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Gpu {
    pub(super) name: Option<String>,
    pub(super) memory_bytes: Option<u64>,
    /// What nobody uses of it.
    pub(super) free_bytes: Option<u64>,
    /// Whether it calculates in bf16.
    pub(super) has_bf16: bool,
}

/// Asks the driver about a GPU; to be called after libtorch has initialized it.
pub(super) fn query(number: usize) -> Gpu {
    ask(number).unwrap_or_default()
}

fn ask(number: usize) -> Option<Gpu> {
    let driver = open_library(c"libcuda.so.1").ok()?;
    let number = c_int::try_from(number).ok()?;
    let mut device: c_int = 0;
    let mut name = [0_u8; NAME_BYTES];
    let mut memory_bytes: usize = 0;
    let mut major: c_int = 0;
    // SAFETY: the types are those of cuda.h. If the driver is not initialized,
    // the functions say so by a nonzero result. The name is ended by a zero
    // within the length that is passed.
    let (named, sized, capable) = unsafe {
        let get = function::<DeviceGet>(driver, c"cuDeviceGet")?;
        if get(&raw mut device, number) != 0 {
            return None;
        }
        let named = function::<DeviceGetName>(driver, c"cuDeviceGetName")
            .is_some_and(|get| get(name.as_mut_ptr().cast(), NAME_BYTES as c_int, device) == 0);
        let sized = function::<DeviceTotalMemory>(driver, c"cuDeviceTotalMem_v2")
            .is_some_and(|get| get(&raw mut memory_bytes, device) == 0);
        let capable = function::<DeviceGetAttribute>(driver, c"cuDeviceGetAttribute")
            .is_some_and(|get| get(&raw mut major, COMPUTE_CAPABILITY_MAJOR, device) == 0);
        (named, sized, capable)
    };
    let name = CStr::from_bytes_until_nul(&name).ok().filter(|_| named);
    Some(Gpu {
        name: name.map(|name| name.to_string_lossy().into_owned()),
        memory_bytes: sized.then(|| u64::try_from(memory_bytes).ok()).flatten(),
        free_bytes: free_bytes(driver, device),
        has_bf16: capable && major >= FIRST_WITH_BF16,
    })
}

/// How much of a GPU's memory nobody uses. The driver tells it in a context: the
/// primary one, which libtorch takes too, and which therefore stays.
fn free_bytes(driver: *mut c_void, device: c_int) -> Option<u64> {
    let mut context = std::ptr::null_mut();
    let (mut free, mut total) = (0_usize, 0_usize);
    // SAFETY: the types are those of cuda.h; a context is used only if it was
    // given, and what is pushed is popped.
    let is_told = unsafe {
        let retain = function::<PrimaryContextRetain>(driver, c"cuDevicePrimaryCtxRetain")?;
        let push = function::<ContextPush>(driver, c"cuCtxPushCurrent_v2")?;
        let pop = function::<ContextPop>(driver, c"cuCtxPopCurrent_v2")?;
        let info = function::<MemoryInfo>(driver, c"cuMemGetInfo_v2")?;
        if retain(&raw mut context, device) != 0 || push(context) != 0 {
            return None;
        }
        let is_told = info(&raw mut free, &raw mut total) == 0;
        pop(&raw mut context);
        is_told
    };
    is_told.then(|| u64::try_from(free).ok()).flatten()
}

/// A function of a library, if it has it.
///
/// # Safety
///
/// `F` must be the type of a pointer to that function.
unsafe fn function<F: Copy>(library: *mut c_void, name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: the library stays open. What is found is a pointer to the
    // function, whose type the caller vouches for.
    unsafe {
        let pointer = libc::dlsym(library, name.as_ptr());
        (!pointer.is_null()).then(|| std::mem::transmute_copy::<*mut c_void, F>(&pointer))
    }
}
