# SPDX-License-Identifier: Apache-2.0
"""Runs a .tflite file under a real runtime and keeps every activation.

    python tflite_run.py MODEL RUNTIME INPUTS OUT [--threads N]

RUNTIME is litert-builtin (optimized kernels, no delegate), litert-ref (reference kernels),
litert-xnnpack (default delegates) or tflm (TFLite Micro). INPUTS holds the codes of the images,
one after the other. OUT receives one file of codes per tensor, images one after the other, and
tensors.json. Versions: requirements/litert.txt.

The two runtimes that overwrite intermediate tensors get the file with every activation listed as
an output of the graph.
"""
import argparse
import hashlib
import importlib.metadata
import json
import pathlib

import flatbuffers
import numpy
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

RUNTIMES = {
    'litert-builtin': ('ai-edge-litert', OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
    'litert-ref': ('ai-edge-litert', OpResolverType.BUILTIN_REF),
    'litert-xnnpack': ('ai-edge-litert', OpResolverType.AUTO),
    'tflm': ('tflite-micro', None),
}


def unpack(model):
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))


def activations(graph):
    """Indices of all tensors that an operator writes, in order."""
    return [index for operator in graph.operators for index in operator.outputs]


def with_all_outputs(model):
    tree = unpack(model)
    graph = tree.subgraphs[0]
    graph.outputs = numpy.array(activations(graph), dtype=numpy.int32)
    # Signatures would name outputs that are no longer the graph's.
    tree.signatureDefs = None
    builder = flatbuffers.Builder(len(model) + 4096)
    builder.Finish(tree.Pack(builder), b'TFL3')
    return bytes(builder.Output())


class LiteRt:
    def __init__(self, model, resolver, threads):
        patched = resolver == OpResolverType.AUTO
        self.interpreter = Interpreter(
            model_content=with_all_outputs(model) if patched else model,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=not patched,
            num_threads=threads,
        )
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]

    def run(self, codes, indices):
        self.interpreter.set_tensor(self.input['index'], codes)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index) for index in indices]


class Micro:
    def __init__(self, model):
        from tflite_micro.python.tflite_micro import runtime

        self.interpreter = runtime.Interpreter.from_bytes(
            with_all_outputs(model), arena_size=64 << 20
        )
        self.input = self.interpreter.get_input_details(0)

    def run(self, codes, indices):
        self.interpreter.set_input(codes, 0)
        self.interpreter.invoke()
        return [self.interpreter.get_output(i) for i in range(len(indices))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('model', type=pathlib.Path)
    parser.add_argument('runtime', choices=RUNTIMES)
    parser.add_argument('inputs', type=pathlib.Path)
    parser.add_argument('out', type=pathlib.Path)
    parser.add_argument('--threads', type=int, default=1)
    options = parser.parse_args()

    model = options.model.read_bytes()
    graph = unpack(model).subgraphs[0]
    indices = activations(graph)
    package, resolver = RUNTIMES[options.runtime]
    oracle = Micro(model) if resolver is None else LiteRt(model, resolver, options.threads)
    shape, dtype = oracle.input['shape'], oracle.input['dtype']
    images = numpy.fromfile(options.inputs, dtype=dtype).reshape(-1, *shape)

    options.out.mkdir(parents=True, exist_ok=True)
    files = [open(options.out / f'{index}.bin', 'wb') for index in indices]
    hashes = [hashlib.sha256() for _ in indices]
    values = [0] * len(indices)
    for codes in images:
        for i, tensor in enumerate(oracle.run(codes, indices)):
            data = numpy.ascontiguousarray(tensor).tobytes()
            files[i].write(data)
            hashes[i].update(data)
            values[i] += tensor.size
    tensors = [
        {
            'name': graph.tensors[index].name.decode(),
            'file': f'{index}.bin',
            'values': values[i],
            'sha256': hashes[i].hexdigest(),
        }
        for i, index in enumerate(indices)
    ]
    record = {
        'runtime': options.runtime,
        'version': f'{package} {importlib.metadata.version(package)}',
        'model': {'file': options.model.name, 'sha256': hashlib.sha256(model).hexdigest()},
        'images': len(images),
        'inputs': hashlib.sha256(images.tobytes()).hexdigest(),
        'tensors': tensors,
    }
    (options.out / 'tensors.json').write_text(json.dumps(record, indent=1) + '\n')


if __name__ == '__main__':
    main()
