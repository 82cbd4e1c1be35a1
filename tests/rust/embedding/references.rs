//! Plain forwards of single texts: candle-transformers' stock models, and Gemma 3 with attention to both sides, which
//! candle-transformers does not have, spelt out in Candle's own operations.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, qwen3};
use ndarray::Array2;
use serde_json::Value;

use super::tiny_models::TinyModel;

/// Vectors (tokens, width) of one text by the reference of the model's architecture.
pub fn token_vectors(model: &TinyModel, folder: &Path, ids: &[u32]) -> Array2<f32> {
    let tensors = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
    let forward = match model.config["model_type"].as_str().unwrap() {
        "bert" => stock_bert,
        "qwen3" => stock_qwen3,
        _ => plain_gemma3,
    };
    let vectors = forward(&model.config, tensors, ids).unwrap().squeeze(0).unwrap();
    let (n, width) = vectors.dims2().unwrap();
    Array2::from_shape_vec((n, width), vectors.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
}

type Tensors = HashMap<String, Tensor>;

fn input(ids: &[u32]) -> Result<Tensor> {
    Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu)
}

fn stock_bert(config: &Value, tensors: Tensors, ids: &[u32]) -> Result<Tensor> {
    let config: bert::Config = serde_json::from_value(config.clone()).unwrap();
    let model = bert::BertModel::load(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), &config)?;
    let input = input(ids)?;
    model.forward(&input, &input.zeros_like()?, None)
}

fn stock_qwen3(config: &Value, tensors: Tensors, ids: &[u32]) -> Result<Tensor> {
    let config: qwen3::Config = serde_json::from_value(config.clone()).unwrap();
    let tensors = tensors.into_iter().map(|(name, tensor)| (format!("model.{name}"), tensor)).collect();
    let mut model = qwen3::Model::new(&config, VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))?;
    model.forward(&input(ids)?, 0)
}

fn plain_gemma3(config: &Value, tensors: Tensors, ids: &[u32]) -> Result<Tensor> {
    let number = |name: &str| config[name].as_f64().unwrap();
    let get = |name: String| tensors[&name].to_dtype(DType::F32);
    let linear = |x: &Tensor, name: String| x.broadcast_matmul(&get(format!("{name}.weight"))?.t()?);
    let norm = |x: &Tensor, name: String| {
        let weight = (get(format!("{name}.weight"))? + 1.0)?;
        candle_nn::ops::rms_norm_slow(&x.contiguous()?, &weight, number("rms_norm_eps") as f32)
    };
    let (n, head_dim) = (ids.len(), number("head_dim") as usize);
    let embeddings = get("embed_tokens.weight".to_owned())?;
    let mut x = (embeddings.index_select(&input(ids)?.squeeze(0)?, 0)?.unsqueeze(0)? * number("hidden_size").sqrt())?;
    for layer in 0..number("num_hidden_layers") as usize {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let is_sliding = (layer + 1) % (number("sliding_window_pattern") as usize) != 0;
        let theta = number(if is_sliding { "rope_local_base_freq" } else { "rope_theta" });
        let y = norm(&x, name("input_layernorm"))?;
        let heads = |part: &str| {
            let projected = linear(&y, name(&format!("self_attn.{part}_proj")))?;
            projected.reshape((1, n, (), head_dim))?.transpose(1, 2)?.contiguous()
        };
        let rotate = |x: Tensor| {
            let (cos, sin) = angles(n, head_dim, theta)?;
            candle_nn::rotary_emb::rope_slow(&x.contiguous()?, &cos, &sin)
        };
        let q = rotate(norm(&heads("q")?, name("self_attn.q_norm"))?)?;
        let k = rotate(norm(&heads("k")?, name("self_attn.k_norm"))?)?;
        let scores = (q.broadcast_matmul(&k.t()?)? / number("query_pre_attn_scalar").sqrt())?;
        let reach = if is_sliding { number("sliding_window") as usize / 2 } else { n };
        let seen = candle_nn::ops::softmax(&scores.broadcast_add(&window(n, reach)?)?, D::Minus1)?
            .broadcast_matmul(&heads("v")?)?
            .transpose(1, 2)?
            .reshape((1, n, ()))?;
        let attended = linear(&seen, name("self_attn.o_proj"))?;
        x = (x + norm(&attended, name("post_attention_layernorm"))?)?;
        let y = norm(&x, name("pre_feedforward_layernorm"))?;
        let wide = (linear(&y, name("mlp.gate_proj"))?.gelu()? * linear(&y, name("mlp.up_proj"))?)?;
        x = (x + norm(&linear(&wide, name("mlp.down_proj"))?, name("post_feedforward_layernorm"))?)?;
    }
    norm(&x, "norm".to_owned())
}

/// 0 for tokens at most `reach` places apart, else minus infinity, (n, n).
fn window(n: usize, reach: usize) -> Result<Tensor> {
    let bias = (0..n).flat_map(|i| (0..n).map(move |j| if i.abs_diff(j) <= reach { 0.0 } else { f32::NEG_INFINITY }));
    Tensor::from_iter(bias, &Device::Cpu)?.reshape((n, n))
}

/// Cosines and sines, (n, `head_dim` / 2) each.
fn angles(n: usize, head_dim: usize, theta: f64) -> Result<(Tensor, Tensor)> {
    let angle = |position: usize, i: usize| position as f64 / theta.powf(2.0 * i as f64 / head_dim as f64);
    let all = (0..n).flat_map(|position| (0..head_dim / 2).map(move |i| angle(position, i) as f32));
    let all = Tensor::from_iter(all, &Device::Cpu)?.reshape((n, head_dim / 2))?;
    Ok((all.cos()?, all.sin()?))
}
