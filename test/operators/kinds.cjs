// SPDX-License-Identifier: Apache-2.0
// Which names mean the same: a row for each operation, with its names in ONNX (float and QDQ files share them), in
// QOperator files and in .tflite files. Whether a format's importer knows a name, its registry says.

/** @type {readonly (readonly [kind: string, onnx: string, qOperator: string, tflite: string])[]} */
const kinds = [
  ['convolution', 'Conv', 'QLinearConv ConvInteger', 'CONV_2D DEPTHWISE_CONV_2D'],
  ['transposed convolution', 'ConvTranspose', 'QLinearConvTranspose', 'TRANSPOSE_CONV'],
  ['fully connected', 'Gemm MatMul', 'QGemm QLinearMatMul MatMulInteger', 'FULLY_CONNECTED'],
  ['batch norm', 'BatchNormalization', '', ''],
  ['addition, subtraction', 'Add Sub Sum', 'QLinearAdd', 'ADD SUB ADD_N'],
  ['product, quotient', 'Mul Div', 'QLinearMul', 'MUL DIV'],
  ['bounds', 'Relu Clip Min Max', '', 'RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 MINIMUM MAXIMUM'],
  ['leaky ReLU', 'LeakyRelu PRelu', 'QLinearLeakyRelu', 'LEAKY_RELU PRELU'],
  ['sigmoid', 'Sigmoid', 'QLinearSigmoid', 'LOGISTIC'],
  ['hard sigmoid, hard swish', 'HardSigmoid HardSwish', '', 'HARD_SWISH'],
  ['swish (SiLU) as one node', 'Swish', '', ''],
  ['GELU', 'Gelu', '', 'GELU'],
  ['other functions of one value', 'Elu Tanh Softplus Mish', '', 'ELU TANH'],
  ['softmax', 'Softmax', 'QLinearSoftmax', 'SOFTMAX'],
  ['scores at the end', 'LogSoftmax ArgMax', '', 'LOG_SOFTMAX ARG_MAX'],
  ['average pool', 'AveragePool', 'QLinearAveragePool', 'AVERAGE_POOL_2D'],
  ['mean over the image', 'GlobalAveragePool ReduceMean', 'QLinearGlobalAveragePool', 'MEAN'],
  ['maximum', 'MaxPool GlobalMaxPool ReduceMax', '', 'MAX_POOL_2D REDUCE_MAX'],
  ['joining channels', 'Concat', 'QLinearConcat', 'CONCATENATION PACK'],
  ['parts', 'Split Slice Gather', '', 'SPLIT SPLIT_V SLICE STRIDED_SLICE GATHER'],
  ['padding', 'Pad', '', 'PAD PADV2 MIRROR_PAD'],
  ['shape', 'Reshape Flatten Squeeze Unsqueeze', '', 'RESHAPE SQUEEZE EXPAND_DIMS'],
  ['order of axes', 'Transpose', '', 'TRANSPOSE'],
  ['resizing', 'Resize Upsample', '', 'RESIZE_NEAREST_NEIGHBOR RESIZE_BILINEAR'],
  ['blocks', 'DepthToSpace SpaceToDepth', '', 'DEPTH_TO_SPACE SPACE_TO_DEPTH'],
  ['codes and reals', 'QuantizeLinear DequantizeLinear Round', '', 'QUANTIZE DEQUANTIZE'],
  ['scales at run time', 'DynamicQuantizeLinear', '', ''],
  ['types', 'Cast', '', 'CAST'],
  ['nothing', 'Identity Dropout', '', ''],
];

module.exports = { kinds };
