//! Shapes against hand-checked values and published parameter counts.

use proptest::prelude::*;

use super::*;
use crate::v1::{
    Activation, Add, Axes, BatchNorm, Bidirectional, Branch, Concatenate, Conv1d, Conv2d,
    DepthwiseConv2d, Dropout, Flatten, Function, GlobalPool, Gru, Join, LayerNorm, Lstm,
    MinMaxScaling, Normalization, Padding, Permute, Pool1d, Pool2d, Reduction, Rescaling, Reshape,
    SeparableConv2d, SimpleRnn, Size, ToSequence, bidirectional,
};

fn square(size: u32) -> Option<Size> {
    Some(Size { height: size, width: size })
}

fn of(function: Function) -> Activation {
    Activation { function: function.into(), slope: 0.0 }
}

fn conv(filters: u32, kernel: u32) -> Conv2d {
    Conv2d {
        filters,
        kernel: square(kernel),
        strides: square(1),
        padding: Padding::Valid.into(),
        dilation: square(1),
        use_bias: true,
        activation: Some(of(Function::Relu)),
        kernel_regularizer: None,
    }
}

fn pool(height: u32, width: u32) -> Kind {
    let pool = Some(Size { height, width });
    Kind::Pool2d(Pool2d { pool, strides: pool, ..Pool2d::default() })
}

fn gru(units: u32, return_sequences: bool, reset_after: bool) -> Kind {
    Kind::Gru(Gru { units, return_sequences, reset_after, use_bias: true, ..Gru::default() })
}

fn units(units: u32) -> Kind {
    Kind::Dense(Dense { units, use_bias: true, ..Dense::default() })
}

fn normalization(axes: &[i32]) -> Kind {
    Kind::Normalization(Normalization { axes: Some(Axes { axes: axes.to_vec() }) })
}

fn min_max(axes: &[i32], low: f64, high: f64) -> Kind {
    Kind::MinMaxScaling(MinMaxScaling { axes: Some(Axes { axes: axes.to_vec() }), low, high })
}

fn network(kinds: Vec<Kind>) -> Model {
    let layers = kinds
        .into_iter()
        .enumerate()
        .map(|(index, kind)| Layer { name: format!("layer_{index}"), kind: Some(kind) })
        .collect();
    Model { layers }
}

/// Shape and parameters that one layer makes of `input`.
fn one(kind: Kind, input: &[u32]) -> Result<(Vec<u32>, u64), String> {
    let layer = Layer { name: String::new(), kind: Some(kind) };
    let rows = infer_layers(&[layer], input).map_err(|error| error.message)?;
    let last = rows.last().expect("a layer has a row");
    Ok((last.output_shape.clone(), parameters(&rows)))
}

fn parameters(summaries: &[LayerSummary]) -> u64 {
    summaries.iter().map(|summary| summary.parameters).sum()
}

#[test]
fn published_cnn_has_its_published_size() {
    let model = network(vec![
        Kind::Conv2d(conv(32, 3)),
        pool(2, 4),
        Kind::Conv2d(conv(64, 3)),
        pool(2, 4),
        Kind::Flatten(Flatten {}),
        units(64),
        units(10),
    ]);
    let summaries = infer(&model, &[128, 660, 1], 10).expect("the network works");
    let shapes: Vec<&[u32]> = summaries.iter().map(|layer| &*layer.output_shape).collect();
    let expected: [&[u32]; 7] =
        [&[126, 658, 32], &[63, 164, 32], &[61, 162, 64], &[30, 40, 64], &[76800], &[64], &[10]];
    assert_eq!(shapes, expected);
    assert_eq!(parameters(&summaries), 4_934_730);
}

#[test]
fn published_crnn_has_its_published_size_in_both_forms() {
    for (reset_after, size) in [(false, 507_658), (true, 508_042)] {
        let mut kinds = Vec::new();
        for (filters, width) in [(64, 2), (128, 4), (128, 4), (128, 4)] {
            kinds.push(Kind::Conv2d(conv(filters, 3)));
            kinds.push(Kind::BatchNorm(BatchNorm { momentum: 0.99, epsilon: 1e-3 }));
            kinds.push(pool(2, width));
            kinds.push(Kind::Dropout(Dropout { rate: 0.1 }));
        }
        kinds.push(Kind::ToSequence(ToSequence {}));
        kinds.push(gru(64, true, reset_after));
        kinds.push(gru(64, false, reset_after));
        kinds.push(units(10));
        let summaries = infer(&network(kinds), &[128, 660, 1], 10).expect("the network works");
        assert_eq!(parameters(&summaries), size);
        assert_eq!(summaries[16].output_shape, [6, 512]);
        let trainable: u64 = summaries.iter().map(|summary| summary.trainable).sum();
        assert_eq!(size - trainable, 2 * (64 + 3 * 128), "moving averages are not trained");
    }
}

#[test]
fn windows_slide_as_in_keras() {
    let shape = |conv: Conv2d| one(Kind::Conv2d(conv), &[10, 11, 3]).map(|(shape, _)| shape);
    let same = Padding::Same.into();
    assert_eq!(shape(conv(4, 3)), Ok(vec![8, 9, 4]));
    assert_eq!(shape(Conv2d { padding: same, ..conv(4, 3) }), Ok(vec![10, 11, 4]));
    assert_eq!(shape(Conv2d { strides: square(2), ..conv(4, 3) }), Ok(vec![4, 5, 4]));
    assert_eq!(
        shape(Conv2d { strides: square(2), padding: same, ..conv(4, 3) }),
        Ok(vec![5, 6, 4])
    );
    assert_eq!(shape(Conv2d { dilation: square(3), ..conv(4, 3) }), Ok(vec![4, 5, 4]));
    assert_eq!(shape(Conv2d { padding: same, ..conv(4, 20) }), Ok(vec![10, 11, 4]));
    let layer = Pool2d { pool: square(3), strides: square(2), padding: same, reduction: 0 };
    assert_eq!(one(Kind::Pool2d(layer), &[10, 11, 3]), Ok((vec![5, 6, 3], 0)));
    let layer = Pool2d { padding: Padding::Valid.into(), ..layer };
    assert_eq!(one(Kind::Pool2d(layer), &[10, 11, 3]), Ok((vec![4, 5, 3], 0)));
}

#[test]
fn parameters_are_counted_as_in_keras() {
    let without = Conv2d { use_bias: false, ..conv(4, 3) };
    assert_eq!(one(Kind::Conv2d(without), &[10, 10, 3]), Ok((vec![8, 8, 4], 108)));
    assert_eq!(one(gru(8, true, true), &[5, 3]), Ok((vec![5, 8], 3 * 8 * 11 + 48)));
    assert_eq!(one(gru(8, false, false), &[5, 3]), Ok((vec![8], 3 * 8 * 11 + 24)));
    assert_eq!(one(units(7), &[5, 3]), Ok((vec![5, 7], 28)), "dense works on the last axis");
    assert_eq!(one(Kind::Activation(of(Function::Softmax)), &[5, 3]), Ok((vec![5, 3], 0)));
}

fn parallel(branches: Vec<Vec<Kind>>, merge: parallel::Merge) -> Kind {
    let branches = branches.into_iter().map(|kinds| Branch { layers: network(kinds).layers });
    Kind::Parallel(Parallel { branches: branches.collect(), merge: Some(merge) })
}

fn concatenated(axis: i32) -> parallel::Merge {
    parallel::Merge::Concatenate(Concatenate { axis })
}

#[test]
fn every_kind_of_layer_has_keras_shape_and_size() {
    let same = i32::from(Padding::Same);
    let causal = i32::from(Padding::Causal);
    let conv1d = Conv1d {
        filters: 4,
        kernel: 3,
        strides: 1,
        dilation: 2,
        use_bias: true,
        ..Conv1d::default()
    };
    let depthwise = DepthwiseConv2d {
        kernel: square(3),
        strides: square(2),
        padding: same,
        dilation: square(1),
        depth_multiplier: 2,
        use_bias: true,
        ..DepthwiseConv2d::default()
    };
    let separable = SeparableConv2d {
        filters: 5,
        kernel: square(3),
        strides: square(1),
        dilation: square(1),
        depth_multiplier: 2,
        use_bias: true,
        ..SeparableConv2d::default()
    };
    let lstm = Lstm { units: 8, use_bias: true, return_sequences: true, ..Lstm::default() };
    let both = |merge: Join| {
        Kind::Bidirectional(Bidirectional {
            layer: Some(bidirectional::Layer::Lstm(lstm)),
            merge: merge.into(),
        })
    };
    let average = i32::from(Reduction::Average);
    let table: Vec<(Kind, &[u32], &[u32], u64)> = vec![
        (Kind::Conv1d(conv1d), &[10, 3], &[6, 4], 3 * 3 * 4 + 4),
        (Kind::Conv1d(Conv1d { padding: causal, ..conv1d }), &[10, 3], &[10, 4], 40),
        (
            Kind::Conv1d(Conv1d { dilation: 1, strides: 3, padding: same, ..conv1d }),
            &[10, 3],
            &[4, 4],
            40,
        ),
        (Kind::DepthwiseConv2d(depthwise), &[9, 10, 3], &[5, 5, 6], 9 * 6 + 6),
        (Kind::SeparableConv2d(separable), &[9, 10, 3], &[7, 8, 5], 9 * 6 + 6 * 5 + 5),
        (
            Kind::Pool1d(Pool1d { pool: 3, strides: 2, padding: 0, reduction: average }),
            &[10, 3],
            &[4, 3],
            0,
        ),
        (
            Kind::Pool2d(Pool2d {
                pool: square(2),
                strides: square(2),
                padding: same,
                reduction: 1,
            }),
            &[5, 6, 3],
            &[3, 3, 3],
            0,
        ),
        (Kind::GlobalPool1d(GlobalPool { reduction: average }), &[10, 3], &[3], 0),
        (Kind::GlobalPool2d(GlobalPool { reduction: 0 }), &[10, 9, 3], &[3], 0),
        (Kind::LayerNorm(LayerNorm { epsilon: 1e-3 }), &[10, 3], &[10, 3], 6),
        (Kind::Reshape(Reshape { shape: vec![5, -1, 2] }), &[10, 3], &[5, 3, 2], 0),
        (Kind::Reshape(Reshape { shape: vec![30] }), &[10, 3], &[30], 0),
        (Kind::Permute(Permute { dims: vec![2, 3, 1] }), &[4, 5, 6], &[5, 6, 4], 0),
        (Kind::Lstm(lstm), &[5, 3], &[5, 8], 4 * 8 * (3 + 8 + 1)),
        (
            Kind::SimpleRnn(SimpleRnn { units: 8, use_bias: true, ..SimpleRnn::default() }),
            &[5, 3],
            &[8],
            8 * (3 + 8 + 1),
        ),
        (both(Join::Concatenate), &[5, 3], &[5, 16], 2 * 384),
        (both(Join::Sum), &[5, 3], &[5, 8], 2 * 384),
        (Kind::Rescaling(Rescaling { scale: 0.5, offset: 0.0 }), &[5, 3], &[5, 3], 0),
        (Kind::Normalization(Normalization::default()), &[5, 3], &[5, 3], 6),
        (normalization(&[]), &[5, 3], &[5, 3], 2),
        (normalization(&[1]), &[5, 3], &[5, 3], 10),
        (normalization(&[3, 1]), &[5, 4, 3], &[5, 4, 3], 30),
        (min_max(&[-2], 0.0, 1.0), &[5, 3], &[5, 3], 10),
        (
            parallel(vec![vec![units(4)], vec![units(2), units(6)]], concatenated(-1)),
            &[5, 3],
            &[5, 10],
            16 + 8 + 18,
        ),
        (
            parallel(
                vec![
                    vec![],
                    vec![Kind::Pool1d(Pool1d { pool: 2, strides: 2, ..Default::default() })],
                ],
                concatenated(1),
            ),
            &[6, 3],
            &[9, 3],
            0,
        ),
        (
            parallel(vec![vec![units(3)], vec![]], parallel::Merge::Add(Add {})),
            &[5, 3],
            &[5, 3],
            12,
        ),
        (
            Kind::MobilenetV2(MobileNetV2 { alpha: 1.0, ..MobileNetV2::default() }),
            &[256, 256, 3],
            &[8, 8, 1280],
            2_257_984,
        ),
    ];
    for (kind, input, shape, parameters) in table {
        let name = format!("{kind:?}");
        assert_eq!(one(kind, input), Ok((shape.to_vec(), parameters)), "{name}");
    }
}

#[test]
fn branches_have_rows_before_the_layer_that_joins_them() {
    let inner = parallel(vec![vec![units(2)], vec![]], concatenated(-1));
    let outer = parallel(vec![vec![inner, units(4)], vec![units(4)]], parallel::Merge::Add(Add {}));
    let rows = infer(&network(vec![outer, units(10)]), &[3], 10).expect("it fits together");
    let rows: Vec<_> =
        rows.iter().map(|row| (row.kind, row.output_shape[0], row.parameters)).collect();
    let expected = [
        ("Dense", 2, 8),
        ("Concatenate", 5, 0),
        ("Dense", 4, 24),
        ("Dense", 4, 16),
        ("Add", 4, 0),
        ("Dense", 10, 50),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn what_new_kinds_cannot_do_is_said_with_a_hint() {
    let add = || parallel::Merge::Add(Add {});
    let table: Vec<(Vec<Kind>, &[u32], &str, &str)> = vec![
        (
            vec![Kind::Conv1d(Conv1d {
                filters: 1,
                kernel: 1,
                strides: 1,
                dilation: 1,
                ..Default::default()
            })],
            &[4, 4, 1],
            "`conv1d` needs an input (time, channels), but its input is (4, 4, 1)",
            "add `to_sequence` before it, or use the layer for two dimensions",
        ),
        (
            vec![Kind::Conv2d(conv(4, 3))],
            &[9, 9],
            "`conv2d` needs an input (height, width, channels), but its input is (9, 9)",
            "put it before `to_sequence` and recurrent layers, use the layer for one dimension, \
             or add `reshape: [height, width, 1]` before it",
        ),
        (
            vec![parallel(vec![vec![Kind::Conv2d(conv(4, 3))], vec![]], concatenated(-1))],
            &[9, 9, 2],
            "its branches give (7, 7, 4) and (9, 9, 2), which cannot be joined along axis 3: all \
             other sizes must be the same",
            "use the same `padding` and `strides` in all branches, or end each with `flatten`",
        ),
        (
            vec![parallel(vec![vec![Kind::Conv2d(conv(4, 3))], vec![]], add())],
            &[9, 9, 4],
            "its branches give (7, 7, 4) and (9, 9, 4), which cannot be added",
            "use `padding: same`, and a `shortcut` that ends in the same shape, such as \
             `[conv2d: {filters: 64, kernel: 1}]`",
        ),
        (
            vec![Kind::Reshape(Reshape { shape: vec![4, -1] })],
            &[5, 3],
            "the 15 values of its input (5, 3) cannot be arranged as (4, -1)",
            "let one size be -1: whatever is left",
        ),
        (
            vec![Kind::Permute(Permute { dims: vec![1, 1] })],
            &[5, 3],
            "`dims` (1, 1) do not order the 2 axes of its input (5, 3)",
            "name each of 1 to 2 once",
        ),
        (
            vec![units(3), Kind::Normalization(Normalization::default())],
            &[5, 3],
            "`normalization` must stand before all layers with weights",
            "put it first, and not into a branch",
        ),
        (
            vec![parallel(vec![vec![min_max(&[1], 0.0, 1.0)], vec![]], concatenated(-1))],
            &[5, 3],
            "`min_max_scaling` must stand before all layers with weights",
            "put it first, and not into a branch",
        ),
        (
            vec![normalization(&[0, 2])],
            &[5, 3],
            "`axis` is [0, 2], but its input is (5, 3)",
            "write axes from 1 to 2 (0 is the batch), each once; -1 for the last one; or `none`",
        ),
        (
            vec![min_max(&[1], 1.0, 1.0)],
            &[5, 3],
            "`range` is [1, 1], which is no range",
            "write the lower number first: `range: [0, 1]`",
        ),
        (
            vec![Kind::MobilenetV2(MobileNetV2 { alpha: 1.0, ..MobileNetV2::default() })],
            &[64, 64, 1],
            "`mobilenet_v2` needs an input (height, width, 3), but its input is (64, 64, 1)",
            "use `images` with `channels: 3`",
        ),
    ];
    for (kinds, input, message, hint) in table {
        let error = infer(&network(kinds), input, 10).expect_err(message);
        assert_eq!(error.message, message);
        assert_eq!(error.hint.as_deref(), Some(hint), "{message}");
    }
}

#[test]
fn what_cannot_work_is_named_with_its_shapes() {
    let message = |kinds, input: &[u32]| {
        let error = infer(&network(kinds), input, 10).expect_err("the network cannot work");
        (error.to_string(), error.hint.unwrap_or_default())
    };
    let table = [
        (
            message(vec![pool(8, 8), Kind::Conv2d(conv(4, 3))], &[16, 64, 1]),
            "layer 2 `layer_1`: kernel (3, 3) is larger than its input (2, 8, 1)",
            "use `padding: same`, or pool less before it",
        ),
        (
            message(vec![Kind::Conv2d(Conv2d { dilation: square(9), ..conv(4, 3) })], &[9, 9, 1]),
            "layer 1 `layer_0`: kernel (3, 3) with dilation (9, 9) is larger than its input \
             (9, 9, 1)",
            "use `padding: same`, or pool less before it",
        ),
        (
            message(
                vec![Kind::Conv2d(Conv2d {
                    dilation: square(2),
                    strides: square(2),
                    ..conv(4, 3)
                })],
                &[9, 9, 1],
            ),
            "layer 1 `layer_0`: strides (2, 2) and dilation (2, 2) cannot both be larger than 1",
            "leave one of them at 1",
        ),
        (
            message(vec![pool(2, 4)], &[16, 3, 1]),
            "layer 1 `layer_0`: pool (2, 4) is larger than its input (16, 3, 1)",
            "use `padding: same`, or pool less before it",
        ),
        (
            message(vec![Kind::Flatten(Flatten {}), Kind::Conv2d(conv(4, 3))], &[4, 4, 1]),
            "layer 2 `layer_1`: `conv2d` needs an input (height, width, channels), but its input \
             is (16,)",
            "put it before `flatten`, `to_sequence`, recurrent layers and `dense`",
        ),
        (
            message(vec![gru(4, false, true)], &[4, 4, 1]),
            "layer 1 `layer_0`: `gru` needs an input (time, features), but its input is (4, 4, 1)",
            "add `to_sequence` before it",
        ),
        (
            message(vec![gru(4, false, true), gru(4, false, true)], &[4, 4]),
            "layer 2 `layer_1`: `gru` needs an input (time, features), but its input is (4,)",
            "set `return_sequences: true` on the recurrent layer before it, and put no `flatten` \
             before it",
        ),
        (
            message(vec![units(10)], &[4, 4, 1]),
            "layer 1 `layer_0`: gives (4, 4, 10), but the last layer must give one value for each \
             of 10 classes",
            "add `flatten`, a global pool, or a recurrent layer without `return_sequences`, before \
             the last `dense`",
        ),
        (
            message(vec![units(8)], &[4]),
            "layer 1 `layer_0`: gives 8 values, but there are 10 classes",
            "end the network with `dense: {units: classes, activation: softmax}`",
        ),
        (
            message(vec![Kind::Flatten(Flatten {})], &[65536, 65536, 1]),
            "layer 1 `layer_0`: its output would have the size of (65536, 65536, 1), which is \
             more than 4294967295",
            "pool more before it",
        ),
        (
            message(vec![units(u32::MAX)], &[u32::MAX]),
            "layer 1 `layer_0`: it would have more than 1099511627776 parameters",
            "use fewer units or filters, or pool more before it",
        ),
        (message(vec![], &[4]), "layer 1 ``: the network has no layers", ""),
        (message(vec![units(10)], &[4, 0]), "layer 1 `layer_0`: its input (4, 0) is empty", ""),
    ];
    for ((error, hint), expected, expected_hint) in table {
        assert_eq!(error, expected);
        assert_eq!(hint, expected_hint);
    }
}

#[test]
fn many_large_layers_are_refused_together() {
    let kinds = vec![units(1 << 19); 8];
    let error = infer(&network(kinds), &[1 << 19], 10).expect_err("2^41 parameters");
    assert_eq!(error.index, 3);
    assert!(error.message.contains("the network would have more than"), "{error}");
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..5, 1_u32..200, any::<u32>()]
}

fn any_size() -> impl Strategy<Value = Option<Size>> {
    proptest::option::weighted(
        0.9,
        (number(), number()).prop_map(|(height, width)| Size { height, width }),
    )
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let window = || (any_size(), any_size(), 0..4, any_size());
    let numbers = || (number(), number(), number(), number());
    let leaf = prop_oneof![
        (number(), window(), any::<bool>()).prop_map(
            |(filters, (kernel, strides, padding, dilation), use_bias)| Kind::Conv2d(Conv2d {
                filters,
                kernel,
                strides,
                padding,
                dilation,
                use_bias,
                ..Conv2d::default()
            })
        ),
        (numbers(), 0..4).prop_map(|((filters, kernel, strides, dilation), padding)| {
            Kind::Conv1d(Conv1d {
                filters,
                kernel,
                strides,
                padding,
                dilation,
                ..Conv1d::default()
            })
        }),
        (number(), window()).prop_map(
            |(depth_multiplier, (kernel, strides, padding, dilation))| {
                Kind::DepthwiseConv2d(DepthwiseConv2d {
                    kernel,
                    strides,
                    padding,
                    dilation,
                    depth_multiplier,
                    ..DepthwiseConv2d::default()
                })
            }
        ),
        (number(), number(), window()).prop_map(
            |(filters, depth_multiplier, (kernel, strides, padding, dilation))| {
                Kind::SeparableConv2d(SeparableConv2d {
                    filters,
                    kernel,
                    strides,
                    padding,
                    dilation,
                    depth_multiplier,
                    ..SeparableConv2d::default()
                })
            }
        ),
        (any_size(), any_size(), 0..4, 0..3).prop_map(|(pool, strides, padding, reduction)| {
            Kind::Pool2d(Pool2d { pool, strides, padding, reduction })
        }),
        (number(), number(), 0..4, 0..3).prop_map(|(pool, strides, padding, reduction)| {
            Kind::Pool1d(Pool1d { pool, strides, padding, reduction })
        }),
        (0..3).prop_map(|reduction| Kind::GlobalPool2d(GlobalPool { reduction })),
        (number(), any::<bool>(), any::<bool>()).prop_map(|(units, a, b)| gru(units, a, b)),
        (number(), 0..5).prop_map(|(units, merge)| {
            let layer = Some(bidirectional::Layer::Lstm(Lstm { units, ..Lstm::default() }));
            Kind::Bidirectional(Bidirectional { layer, merge })
        }),
        number().prop_map(units),
        proptest::collection::vec(-2..300_i32, 0..4)
            .prop_map(|shape| Kind::Reshape(Reshape { shape })),
        proptest::collection::vec(0..5_u32, 0..4).prop_map(|dims| Kind::Permute(Permute { dims })),
        any::<f64>()
            .prop_map(|alpha| Kind::MobilenetV2(MobileNetV2 { alpha, ..Default::default() })),
        any::<f64>().prop_map(|rate| Kind::Dropout(Dropout { rate })),
        Just(Kind::BatchNorm(BatchNorm { momentum: 0.99, epsilon: 1e-3 })),
        proptest::option::of(proptest::collection::vec(-4..4_i32, 0..3)).prop_map(|axes| {
            Kind::Normalization(Normalization { axes: axes.map(|axes| Axes { axes }) })
        }),
        (proptest::collection::vec(-4..4_i32, 0..3), any::<f64>(), any::<f64>())
            .prop_map(|(axes, low, high)| min_max(&axes, low, high)),
        Just(Kind::Flatten(Flatten {})),
        Just(Kind::ToSequence(ToSequence {})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let branch = proptest::collection::vec(inner, 0..3)
            .prop_map(|kinds| Branch { layers: network(kinds).layers });
        (proptest::collection::vec(branch, 0..3), proptest::option::of(-4..4_i32)).prop_map(
            |(branches, axis)| {
                let merge = match axis {
                    Some(axis) => parallel::Merge::Concatenate(Concatenate { axis }),
                    None => parallel::Merge::Add(Add {}),
                };
                Kind::Parallel(Parallel { branches, merge: Some(merge) })
            },
        )
    })
}

proptest! {
    #[test]
    fn no_model_makes_it_panic(
        kinds in proptest::collection::vec(any_kind(), 0..12),
        input in proptest::collection::vec(number(), 0..5),
        classes in number(),
    ) {
        if let Ok(summaries) = infer(&network(kinds), &input, classes) {
            prop_assert!(parameters(&summaries) <= MAX_PARAMETERS);
            for summary in &summaries {
                prop_assert!(!summary.output_shape.contains(&0));
                prop_assert!(summary.trainable <= summary.parameters);
            }
        }
    }
}
