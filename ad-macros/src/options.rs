//! The attribute's options: `#[differentiable(wrt(w), only(grad, hvp), dump)]`.
