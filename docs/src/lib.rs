//! Builds the book and checks what it says.
