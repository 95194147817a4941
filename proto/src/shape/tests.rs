//! Shapes against hand-checked values and published parameter counts.

use proptest::prelude::*;

use super::*;
use crate::v1::{Activation, ActivationLayer, BatchNorm, Dropout, Flatten, ToSequence};

fn square(size: u32) -> Option<Size> {
    Some(Size { height: size, width: size })
}

fn conv(filters: u32, kernel: u32) -> Conv2d {
    Conv2d {
        filters,
        kernel: square(kernel),
        strides: square(1),
        padding: Padding::Valid.into(),
        dilation: square(1),
        use_bias: true,
        activation: Activation::Relu.into(),
    }
}

fn pool(height: u32, width: u32) -> Kind {
    let pool = Some(Size { height, width });
    Kind::MaxPool2d(MaxPool2d { pool, strides: pool, padding: Padding::Valid.into() })
}

fn gru(units: u32, return_sequences: bool, reset_after: bool) -> Kind {
    Kind::Gru(Gru {
        units,
        activation: Activation::Tanh.into(),
        recurrent_activation: Activation::Sigmoid.into(),
        return_sequences,
        reset_after,
        use_bias: true,
    })
}

fn units(units: u32) -> Kind {
    Kind::Dense(Dense { units, activation: Activation::Softmax.into(), use_bias: true })
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
    infer_layer(&layer, input)
        .map(|made| (made.shape, made.parameters))
        .map_err(|fault| fault.message)
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
    let layer = MaxPool2d { pool: square(3), strides: square(2), padding: same };
    assert_eq!(one(Kind::MaxPool2d(layer), &[10, 11, 3]), Ok((vec![5, 6, 3], 0)));
    let layer = MaxPool2d { padding: Padding::Valid.into(), ..layer };
    assert_eq!(one(Kind::MaxPool2d(layer), &[10, 11, 3]), Ok((vec![4, 5, 3], 0)));
}

#[test]
fn parameters_are_counted_as_in_keras() {
    let without = Conv2d { use_bias: false, ..conv(4, 3) };
    assert_eq!(one(Kind::Conv2d(without), &[10, 10, 3]), Ok((vec![8, 8, 4], 108)));
    assert_eq!(one(gru(8, true, true), &[5, 3]), Ok((vec![5, 8], 3 * 8 * 11 + 48)));
    assert_eq!(one(gru(8, false, false), &[5, 3]), Ok((vec![8], 3 * 8 * 11 + 24)));
    assert_eq!(one(units(7), &[5, 3]), Ok((vec![5, 7], 28)), "dense works on the last axis");
    let softmax = ActivationLayer { activation: Activation::Softmax.into() };
    assert_eq!(one(Kind::Activation(softmax), &[5, 3]), Ok((vec![5, 3], 0)));
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
            "put it before `flatten`, `to_sequence`, `gru` and `dense`",
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
            "add `flatten`, or a `gru` without `return_sequences`, before the last `dense`",
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
    prop_oneof![
        (number(), any_size(), any_size(), 0..3, any_size(), any::<bool>()).prop_map(
            |(filters, kernel, strides, padding, dilation, use_bias)| Kind::Conv2d(Conv2d {
                filters,
                kernel,
                strides,
                padding,
                dilation,
                use_bias,
                activation: 0
            })
        ),
        (any_size(), any_size(), 0..3).prop_map(|(pool, strides, padding)| Kind::MaxPool2d(
            MaxPool2d { pool, strides, padding }
        )),
        (number(), any::<bool>(), any::<bool>()).prop_map(|(units, a, b)| gru(units, a, b)),
        number().prop_map(units),
        Just(Kind::BatchNorm(BatchNorm { momentum: 0.99, epsilon: 1e-3 })),
        Just(Kind::Flatten(Flatten {})),
        Just(Kind::ToSequence(ToSequence {})),
    ]
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
