//! What other devices run, beside what the CPU runs: every operation composed of Candle's own, on the CPU too.
//!
//! No test here has a GPU; this is how the code for one is run at all.

use candle_core::{DType, Device, Result, Tensor};

use super::rotary::HeadNorm;
use super::{
    Activation, Attention, Gate, GatedLinear, LayerNorm, Linear, Mask, RmsNorm, Rotary, Table, Values, Weight,
};

/// Numbers between -1.5 and 1.5 that look random.
fn tensor(shape: &[usize], seed: usize) -> Result<Tensor> {
    let n: usize = shape.iter().product();
    let values = (0..n).map(|i| ((i * 7919 + seed * 104_729) % 3001) as f32 / 1000.0 - 1.5);
    Tensor::from_iter(values, &Device::Cpu)?.reshape(shape)
}

fn check(name: &str, fused: &Tensor, composed: &Tensor) -> Result<()> {
    assert_eq!(fused.dims(), composed.dims(), "{name}");
    let (a, b) = (fused.flatten_all()?.to_vec1::<f32>()?, composed.flatten_all()?.to_vec1::<f32>()?);
    for (index, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{name}, number {index}: {a} and {b}");
    }
    Ok(())
}

#[test]
fn norms() -> Result<()> {
    let (x, weight, bias) = (tensor(&[7, 45], 1)?, tensor(&[45], 2)?, tensor(&[45], 3)?);
    let rms = RmsNorm::new(weight.clone(), 1e-6);
    check("rms norm", &rms.forward(&x)?, &rms.composed(&x)?)?;
    let sum = tensor(&[7, 45], 4)?;
    check("rms norm added", &rms.add_to(sum.copy()?, &x)?, &(&sum + rms.composed(&x)?)?)?;
    let layer = LayerNorm::new(weight, bias, 1e-12);
    check("layer norm", &layer.forward(x.copy()?)?, &layer.composed(&x)?)
}

#[test]
fn tables() -> Result<()> {
    let wide = tensor(&[9, 20], 1)?;
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let (a, b) = (Table::new(wide.to_dtype(dtype)?, 3.5), Table::new(tensor(&[4, 20], 2)?, 1.0));
        let parts: [(&Table, &[u32]); 2] = [(&a, &[8, 0, 3]), (&b, &[1, 1, 2])];
        check(&format!("{dtype:?}"), &Table::look_up(&parts)?, &Table::composed(&parts, &Device::Cpu)?)?;
        assert!(Table::look_up(&[(&a, &[9])]).is_err());
        assert!(Table::look_up(&[(&a, &[1]), (&b, &[])]).is_err());
    }
    Ok(())
}

#[test]
fn linear_layers_and_activations() -> Result<()> {
    let x = tensor(&[9, 20], 1)?;
    let weight = Weight::new(Values::Matrix(tensor(&[20, 33], 2)?), 20, 33);
    for bias in [None, Some(tensor(&[33], 3)?)] {
        let layer = Linear::new(weight.clone(), bias);
        for activation in [Activation::None, Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Tanh]
        {
            check(&format!("{activation:?}"), &layer.forward(&x, activation)?, &layer.composed(&x, activation)?)?;
        }
        let sum = tensor(&[9, 33], 4)?;
        let composed = (&sum + layer.composed(&x, Activation::None)?)?;
        check("sum", &layer.add_to(sum.copy()?, &x)?, &composed)?;
    }
    Ok(())
}

#[test]
fn gates() -> Result<()> {
    let x = tensor(&[9, 20], 1)?;
    let values = tensor(&[20, 66], 2)?;
    for gate in [Gate::Silu, Gate::GeluTanh] {
        let layer = GatedLinear::new(Weight::new(Values::Matrix(values.clone()), 20, 66), gate);
        check(&format!("{gate:?}"), &layer.forward(&x)?, &gate.composed(&x.matmul(&values)?)?)?;
    }
    Ok(())
}

#[test]
fn heads_and_attention() -> Result<()> {
    let starts = [0, 1, 8, 40, 110];
    for mask in [Mask::Full, Mask::Causal, Mask::Window(9)] {
        let shape = Attention { n_heads: 4, n_kv_heads: 2, head_dim: 12, scale: 0.3, mask };
        let qkv = tensor(&[110, shape.fused_width()], 1)?;
        let norm =
            HeadNorm { query: RmsNorm::new(tensor(&[12], 2)?, 1e-6), key: RmsNorm::new(tensor(&[12], 3)?, 1e-6) };
        let rotary = Rotary::new(12, 1e4);
        let composed = norm.composed(&qkv, &shape, &rotary.angles(70), &starts)?;
        check("heads", &norm.forward(qkv.copy()?, &shape, &rotary, &starts)?, &composed)?;
        check(&format!("{mask:?}"), &shape.forward(&qkv, &starts)?, &shape.composed(&qkv, &starts)?)?;
    }
    Ok(())
}
