//! What every Logladder engine must do: cases, golden scripts, a model, crash images and bit flips.
