//! Every layout of weights that this machine multiplies, on every tier that does, beside a plain product.

use candle_core::{Device, Result, Tensor};
use half::bf16;
use safetensors::tensor::Dtype;

use super::{Activation, Gate, GatedLinear, Linear, PANEL, Weight, WeightLayout};
use crate::cpu::forced::{bits, numbers, on_every_tier};
use crate::cpu::{Cpu, Tier};
use crate::embedding::layout::lay_out;

/// Rows of x, of weights, and columns: fewer than a tile, whole ones, more than a task has; odd and even.
const SHAPES: [(usize, usize, usize); 7] =
    [(1, 1, 16), (1, 6, 3), (5, 7, 40), (16, 64, 32), (17, 65, 33), (97, 1029, 70), (200, 512, 16)];

/// The least tier that multiplies a layout.
fn least(layout: WeightLayout) -> Tier {
    match layout {
        WeightLayout::Quads | WeightLayout::Matrix => Tier::Baseline,
        WeightLayout::Panels => Tier::Avx2,
        WeightLayout::Pairs => Tier::Avx512Bf16,
        WeightLayout::Parts => Tier::Amx,
    }
}

/// w (in, out) as a file has it, (out, in).
fn weight(w: &[f32], k: usize, n_out: usize, layout: WeightLayout, dtype: Dtype, columns: &[usize]) -> Result<Weight> {
    let turned = (0..n_out).flat_map(|j| (0..k).map(move |i| w[i * n_out + j]));
    let bytes: Vec<u8> = match dtype {
        Dtype::BF16 => turned.flat_map(|x| bf16::from_f32(x).to_le_bytes()).collect(),
        _ => turned.flat_map(f32::to_le_bytes).collect(),
    };
    let columns: Vec<_> = columns.iter().map(|&j| (j < n_out).then_some((0, j))).collect();
    Ok(Weight::new(lay_out(&[(dtype, &bytes)], &columns, k, layout, &Device::Cpu)?, k, n_out))
}

/// How far a sum of products of size 1 may be off: by the roundings of the layout.
fn tolerance(layout: WeightLayout) -> f64 {
    match layout {
        WeightLayout::Quads => 3e-2,
        WeightLayout::Pairs => 1.2e-2,
        _ => 1.5e-6,
    }
}

fn one_thread(work: impl FnOnce() + Send) {
    // A tier is forced for one thread.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    assert!(pool.map(|pool| pool.install(work)).is_ok());
}

/// Checks the sums of one product, then of the same added to `numbers(.., 53)`.
fn check(about: &str, layout: WeightLayout, (m, k, n_out): (usize, usize, usize), w: &[f32], out: &[f32]) {
    let (x, bias, before) = (numbers(m * k, 37), numbers(n_out, 7), numbers(m * n_out, 53));
    assert_eq!(out.len(), 2 * before.len());
    for (place, &found) in out.iter().enumerate() {
        let (row, column) = (place % before.len() / n_out, place % n_out);
        let start = if place < before.len() { 0.0 } else { before[place - before.len()] };
        let products = (0..k).map(|c| f64::from(x[row * k + c]) * f64::from(w[c * n_out + column]));
        let (sum, squares) = products.fold((f64::from(bias[column] + start), 1.0), |(s, a), p| (s + p, a + p * p));
        // Roundings are as good as random: their sum grows with the root of their number.
        let allowed = tolerance(layout) * (1.0 + squares.sqrt());
        assert!((f64::from(found) - sum).abs() < allowed, "{about}, {m}x{k}x{n_out}, {place}: {found}, not {sum}");
    }
}

#[test]
fn products_are_those_of_a_plain_loop_on_every_tier() {
    use WeightLayout::{Matrix, Pairs, Panels, Parts, Quads};
    one_thread(|| {
        let layouts = [Panels, Parts, Pairs, Quads, Matrix].into_iter();
        for (layout, dtype) in layouts.flat_map(|layout| [(layout, Dtype::F32), (layout, Dtype::BF16)]) {
            for (m, k, n_out) in SHAPES {
                let mut w = numbers(k * n_out, 101);
                if dtype == Dtype::BF16 {
                    w.iter_mut().for_each(|x| *x = bf16::from_f32(*x).to_f32());
                }
                let columns: Vec<usize> = (0..n_out).collect();
                let product = || -> Result<Vec<f32>> {
                    let weight = weight(&w, k, n_out, layout, dtype, &columns)?;
                    let layer = Linear::new(weight, Some(Tensor::new(numbers(n_out, 7), &Device::Cpu)?));
                    let x = Tensor::from_vec(numbers(m * k, 37), (m, k), &Device::Cpu)?;
                    let sum = Tensor::from_vec(numbers(m * n_out, 53), (m, n_out), &Device::Cpu)?;
                    let mut out: Vec<f32> = layer.forward(&x, Activation::None)?.flatten_all()?.to_vec1()?;
                    out.extend(layer.add_to(sum, &x)?.flatten_all()?.to_vec1::<f32>()?);
                    Ok(out)
                };
                let results = on_every_tier(least(layout), || product().unwrap_or_default());
                for (tier, out) in &results {
                    check(&format!("{layout:?}, {dtype:?}, {tier:?}"), layout, (m, k, n_out), &w, out);
                    // Whole numbers have one sum; sums of pairs are in another order on tiles.
                    let is_exact = matches!(layout, Quads | Panels);
                    assert!(!is_exact || bits(out) == bits(&results[0].1), "{layout:?}, {dtype:?}, {tier:?}");
                }
            }
        }
    });
}

#[test]
fn gates_lie_beside_what_they_open() -> Result<()> {
    let (m, k, n_out) = (19, 70, 24);
    let w = numbers(k * 2 * n_out, 101);
    let x = Tensor::from_slice(&numbers(m * k, 37), (m, k), &Device::Cpu)?;
    let panel = |first: usize, of: usize| {
        (first..first + PANEL).map(move |j| if j < n_out { of * n_out + j } else { usize::MAX })
    };
    let in_turn: Vec<usize> =
        (0..n_out).step_by(PANEL).flat_map(|first| panel(first, 0).chain(panel(first, 1))).collect();
    for gate in [Gate::Silu, Gate::GeluTanh] {
        let plain: Vec<usize> = (0..2 * n_out).collect();
        let matrix = weight(&w, k, 2 * n_out, WeightLayout::Matrix, Dtype::F32, &plain)?;
        let expected = GatedLinear::new(matrix, gate).forward(&x)?.flatten_all()?.to_vec1::<f32>()?;
        for layout in [WeightLayout::Panels, WeightLayout::Parts, WeightLayout::Pairs, WeightLayout::Quads] {
            if Cpu::current().tier() < least(layout) {
                continue;
            }
            let layer = GatedLinear::new(weight(&w, k, 2 * n_out, layout, Dtype::F32, &in_turn)?, gate);
            let found = layer.forward(&x)?.flatten_all()?.to_vec1::<f32>()?;
            for (found, expected) in found.iter().zip(&expected) {
                let allowed = 40.0 * tolerance(layout) as f32 * (1.0 + expected.abs());
                assert!((found - expected).abs() < allowed, "{layout:?}, {gate:?}: {found}, not {expected}");
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_no_number_stays_none() -> Result<()> {
    for layout in [WeightLayout::best(&Device::Cpu), WeightLayout::Quads] {
        let mut w = vec![1f32; 40 * 16];
        let columns: Vec<usize> = (0..16).collect();
        let mut x = vec![1f32; 3 * 40];
        (w[5], x[40]) = (f32::NAN, f32::INFINITY);
        let layer = Linear::new(weight(&w, 40, 16, layout, Dtype::F32, &columns)?, None);
        let out = layer.forward(&Tensor::from_slice(&x, (3, 40), &Device::Cpu)?, Activation::None)?.to_vec2::<f32>()?;
        assert!(out[0][5].is_nan() && out[1].iter().all(|x| !x.is_finite()), "{layout:?}");
        assert!((out[0][4] - 40.0).abs() < 1e-3 && (out[2][4] - 40.0).abs() < 1e-3, "{layout:?}");
    }
    Ok(())
}
