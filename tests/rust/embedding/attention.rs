//! Attention over packed texts beside the formula in double precision.

use candle_core::{Device, Tensor};
use vsr_core::embedding::ops::{Attention, Mask};

use crate::data;

/// Whether the query at `i` sees the key at `j`.
fn sees(mask: Mask, i: usize, j: usize) -> bool {
    match mask {
        Mask::Full => true,
        Mask::Causal => j <= i,
        Mask::Window(width) => i.abs_diff(j) < width,
    }
}

/// softmax(q k^T scale) v of every text alone, (n, heads x head).
fn reference(shape: &Attention, qkv: &[f32], starts: &[usize]) -> Vec<f64> {
    let (width, fused, group) = (shape.head_dim, shape.fused_width(), shape.n_heads / shape.n_kv_heads);
    let at = |token: usize, slot: usize| &qkv[token * fused + slot * width..][..width];
    let mut out = Vec::new();
    for pair in starts.windows(2) {
        for i in pair[0]..pair[1] {
            for head in 0..shape.n_heads {
                let (key, value) = (shape.n_heads + head / group, shape.n_heads + shape.n_kv_heads + head / group);
                let seen: Vec<usize> = (pair[0]..pair[1]).filter(|&j| sees(shape.mask, i, j)).collect();
                let dot = |j: usize| -> f64 {
                    at(i, head).iter().zip(at(j, key)).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
                };
                let weights: Vec<f64> = seen.iter().map(|&j| (dot(j) * f64::from(shape.scale)).exp()).collect();
                let total: f64 = weights.iter().sum();
                out.extend((0..width).map(|column| {
                    let sum = |(&j, w): (&usize, &f64)| w / total * f64::from(at(j, value)[column]);
                    seen.iter().zip(&weights).map(sum).sum::<f64>()
                }));
            }
        }
    }
    out
}

#[test]
fn every_mask_and_length_agrees_with_double_precision() {
    for mask in [Mask::Full, Mask::Causal, Mask::Window(1), Mask::Window(9), Mask::Window(70), Mask::Window(500)] {
        for (n_heads, n_kv_heads, head_dim) in [(2, 2, 10), (4, 2, 16), (3, 1, 36)] {
            let shape = Attention { n_heads, n_kv_heads, head_dim, scale: 0.3, mask };
            let starts = [0, 1, 3, 67, 131, 196, 330];
            let qkv: Vec<f32> = data::normal(330, shape.fused_width(), 3).into_iter().collect();
            let tensor = Tensor::from_slice(&qkv, (330, shape.fused_width()), &Device::Cpu).unwrap();
            let found = shape.forward(&tensor, &starts).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let expected = reference(&shape, &qkv, &starts);
            assert_eq!(found.len(), expected.len());
            for (index, (a, b)) in found.iter().zip(&expected).enumerate() {
                assert!((f64::from(*a) - b).abs() < 2e-5, "{shape:?}, number {index}: {a}, not {b}");
            }
        }
    }
}

#[test]
fn nothing_outside_the_window_is_looked_at() {
    let shape = Attention { n_heads: 1, n_kv_heads: 1, head_dim: 16, scale: 0.25, mask: Mask::Window(20) };
    let mut qkv = data::normal(150, shape.fused_width(), 1);
    let forward = |qkv: &ndarray::Array2<f32>| -> Vec<Vec<f32>> {
        let values: Vec<f32> = qkv.iter().copied().collect();
        let tensor = Tensor::from_vec(values, (150, shape.fused_width()), &Device::Cpu).unwrap();
        shape.forward(&tensor, &[0, 150]).unwrap().to_vec2().unwrap()
    };
    let before = forward(&qkv);
    qkv.row_mut(75).mapv_inplace(|x| 50.0 * x + 3.0);
    let after = forward(&qkv);
    for token in 0..150_usize {
        assert_eq!(before[token] == after[token], token.abs_diff(75) >= 20, "token {token}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let shape = Attention { n_heads: 1, n_kv_heads: 1, head_dim: 4, scale: 1.0, mask: Mask::Full };
    let qkv = Tensor::zeros((5, 12), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(shape.forward(&qkv, &[0, 5]).is_ok());
    for starts in [&[0, 4][..], &[0, 6], &[0, 3, 2, 5], &[]] {
        assert!(shape.forward(&qkv, starts).is_err(), "{starts:?}");
    }
    assert!(shape.forward(&qkv.narrow(1, 0, 8).unwrap().contiguous().unwrap(), &[0, 5]).is_err());
}
