//! What falls due, on made-up people and clocks.
