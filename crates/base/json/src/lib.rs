//! Byte strings as JSON text, and typed documents with canonical keys over any Logladder engine.
