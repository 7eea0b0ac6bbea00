// SPDX-License-Identifier: Apache-2.0
// ONNX's published node tests of quantized operators, where Debian's libonnx-testdata (or the
// folder data/node of another release) is installed. They hold weights and scales as inputs; here
// these become constants, and matrices run row by row, since lastbit runs one image.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onnx } from 'onnx-proto';
import { Engine } from '../../../src/engine/engine.js';
import type { Codes } from '../../../src/numeric/code-types.js';
import type { OnnxModel, OnnxNode, OnnxTensor } from '../../../src/onnx/file/model.js';
import { readOnnx } from '../../../src/onnx/file/reader.js';
import { importQuantized } from '../../../src/onnx/quantized/import.js';
import { quantizeInput } from '../../../src/program/input.js';
import { interpret } from '../../../src/program/interpret.js';
import { lower } from '../../../src/program/lower.js';
import { findTarget } from '../../../src/targets/index.js';
import { int, model, node } from '../build.js';

const folder = process.env.LASTBIT_ONNX_TESTS ?? '/usr/share/libonnx-testdata/data/node';

type Tensor = Omit<OnnxTensor, 'name'>;

/** Data type by TensorProto.DataType. */
const types = { 1: 'f32', 2: 'u8', 3: 's8', 6: 's32' } as const;

function readTensor(file: string): Tensor {
  const { dims, dataType, rawData } = onnx.TensorProto.decode(readFileSync(file));
  const bytes = Uint8Array.from(rawData);
  const data = {
    f32: () => new Float32Array(bytes.buffer),
    u8: () => bytes,
    s8: () => new Int8Array(bytes.buffer),
    s32: () => new Int32Array(bytes.buffer),
  }[types[dataType as keyof typeof types]]();
  return { dtype: types[dataType as keyof typeof types], shape: dims.map(Number), data };
}

interface NodeTest {
  readonly node: OnnxNode;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
}

function readTest(name: string): NodeTest {
  const data = join(folder, name, 'test_data_set_0');
  const { graph } = onnx.ModelProto.decode(readFileSync(join(folder, name, 'model.onnx')));
  const { attribute } = graph!.node![0]!;
  const inputs = graph!.input!.map((_, i) => readTensor(join(data, `input_${i}.pb`)));
  const attributes = new Map(
    (attribute ?? []).map(({ name: key, ints }) => [
      key!,
      { type: 'ints' as const, value: (ints ?? []).map(Number) },
    ]),
  );
  const { opType, input, output } = graph!.node![0]!;
  return {
    node: { ...node(opType!, input!, output!), attributes },
    inputs,
    output: readTensor(join(data, 'output_0.pb')),
  };
}

/** What the engine and the interpreter compute; both must agree. */
function run(file: OnnxModel, input: Codes | Float32Array): number[] {
  const program = lower(importQuantized(file), findTarget('onnxruntime'));
  const codes = input instanceof Float32Array ? quantizeInput(program, input) : input;
  const engine = Engine.load(program);
  const [output] = engine.runSync(codes).outputs;
  engine.close();
  expect(interpret(program, codes).outputs[0]!.data).toEqual(output!.data);
  return Array.from(output!.data, Number);
}

/** The test's operator with its first input as the model's, and the others as constants. */
function withConstants({ node: op, inputs }: NodeTest, shape: number[], out: number[]): OnnxModel {
  const names = ['x', ...op.inputs.slice(1)];
  const weights = names.slice(1).map((name, i) => [name, inputs[i + 1]!] as const);
  const made = model({
    opset: 13,
    input: shape,
    inputDType: 'u8',
    output: out,
    nodes: [{ ...op, inputs: names, outputs: ['y'] }],
    weights: Object.fromEntries(weights),
  });
  const [y] = made.graph.outputs;
  return { ...made, graph: { ...made.graph, outputs: [{ ...y!, dtype: 'u8' }] } };
}

/** Integer sums need a scale: quantize with scale 1 before, multiply by 1 behind. */
function withScales({ node: op, inputs }: NodeTest, shape: number[], out: number[]): OnnxModel {
  const [, second, zero, weightZero] = op.inputs;
  const one: Tensor = { dtype: 'f32', shape: [], data: Float32Array.of(1) };
  return model({
    opset: 13,
    input: shape,
    output: out,
    nodes: [
      node('QuantizeLinear', ['x', 'one', 'zero'], 'codes'),
      {
        ...op,
        inputs: ['codes', 'weights', 'zero', ...(weightZero === undefined ? [] : ['weightZero'])],
        outputs: ['sums'],
      },
      node('Cast', ['sums'], 'real', { to: int(1) }),
      node('Mul', ['real', 'one'], 'y'),
    ],
    weights: {
      one,
      weights: inputs[op.inputs.indexOf(second!)]!,
      zero: { ...inputs[op.inputs.indexOf(zero!)]!, shape: [] },
      ...(weightZero === undefined
        ? {}
        : { weightZero: { ...inputs[op.inputs.indexOf(weightZero)]!, shape: [] } }),
    },
  });
}

/** Rows of the first input, with the matrix (input `second`) that each one meets. */
function rowsOf({ inputs }: NodeTest, second: number) {
  const [a, b] = [inputs[0], inputs[second]];
  const [height, width] = a!.shape.slice(-2) as [number, number];
  const columns = b!.shape.at(-1)!;
  const batches = a!.shape.length === 3 ? a!.shape[0]! : 1;
  return Array.from({ length: batches * height }, (_, row) => {
    const size = width * columns;
    const at = b!.shape.length === 3 ? Math.floor(row / height) * size : 0;
    return {
      row: Uint8Array.from(a!.data.slice(row * width, (row + 1) * width)),
      matrix: {
        ...b!,
        shape: [width, columns],
        data: Uint8Array.from(b!.data.slice(at, at + size)),
      },
      columns,
    };
  });
}

(existsSync(join(folder, 'test_qlinearconv')) ? describe : describe.skip)(
  'ONNX node tests (skipped where libonnx-testdata is not installed)',
  () => {
    test('qlinearconv', () => {
      const published = readTest('test_qlinearconv');
      const file = withConstants(published, [1, 1, 7, 7], [1, 1, 7, 7]);
      const codes = Uint8Array.from(published.inputs[0]!.data);
      expect(run(file, codes)).toEqual([...published.output.data]);
    });

    test.each(['2D', '3D'])('qlinearmatmul_%s', (form) => {
      const published = readTest(`test_qlinearmatmul_${form}`);
      const got = rowsOf(published, 3).flatMap(({ row, matrix, columns }) => {
        const inputs = published.inputs.map((tensor, i) => (i === 3 ? matrix : tensor));
        const one = { ...published, inputs: inputs.map(scalarIfOne) };
        return run(withConstants(one, [1, row.length], [1, columns]), row);
      });
      expect(got).toEqual([...published.output.data]);
    });

    test.each(['with', 'without'])('convinteger_%s_padding', (padding) => {
      const published = readTest(`test_convinteger_${padding}_padding`);
      const file = withScales(published, [1, 1, 3, 3], published.output.shape.slice());
      const zero = published.inputs[2]!.data[0]!;
      const reals = Float32Array.from(published.inputs[0]!.data, (code) => code - zero);
      expect(run(file, reals)).toEqual([...published.output.data]);
    });

    test('matmulinteger', () => {
      const published = readTest('test_matmulinteger');
      const zero = published.inputs[2]!.data[0]!;
      const got = rowsOf(published, 1).flatMap(({ row, columns }) =>
        run(
          withScales(published, [1, row.length], [1, columns]),
          Float32Array.from(row, (code) => code - zero),
        ),
      );
      expect(got).toEqual([...published.output.data]);
    });

    test.each(['', '_axis'])('quantizelinear%s', (form) => {
      const { inputs, output } = readTest(`test_quantizelinear${form}`);
      const [x, scales, zeros] = inputs as [Tensor, Tensor, Tensor];
      const channels = scales.data.length;
      const area = x.data.length / channels;
      const got = Array.from({ length: channels }, (_, c) => {
        const file = model({
          opset: 13,
          input: [1, 1, 1, area],
          output: [1, 1, 1, area],
          nodes: [
            node('QuantizeLinear', ['x', 'scale', 'zero'], 'q'),
            node('DequantizeLinear', ['q', 'scale', 'zero'], 'y'),
          ],
          weights: {
            scale: { ...scales, shape: [], data: Float32Array.of(scales.data[c]!) },
            zero: { ...zeros, shape: [], data: Uint8Array.of(zeros.data[c]!) },
          },
        });
        const program = lower(importQuantized(file), findTarget('onnxruntime'));
        const reals = Float32Array.from(x.data.slice(c * area, (c + 1) * area));
        return [...quantizeInput(program, reals)];
      });
      expect(got.flat()).toEqual([...output.data]);
    });

    test('dynamicquantizelinear is refused, with the way out', () => {
      const file = join(folder, 'test_dynamicquantizelinear/model.onnx');
      expect(() => importQuantized(readOnnx(readFileSync(file)))).toThrow(/quantize/);
    });
  },
);

/** Parameters of one element as scalars. */
function scalarIfOne(tensor: Tensor): Tensor {
  return tensor.data.length === 1 ? { ...tensor, shape: [] } : tensor;
}
