//! The detector against reports as the kernel writes them.
use super::*;
