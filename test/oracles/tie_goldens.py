# SPDX-License-Identifier: Apache-2.0
"""Runs the dyadic-tie suite under every TFLite runtime and writes files and outputs as goldens.

    python tie_goldens.py OUT [--threads N] [--nets | --wide | --tails | --operators] [--written FOLDER]

OUT/models.bin holds the .tflite files one after the other, OUT/goldens.json where each lies, from
which seeds its inputs follow, and what each runtime computed. Outputs are deflated base64 of all
images; runtimes that agree share one entry. A runtime that refuses a file is listed with its words.
--nets runs the networks of net_models.py instead, 20 images each, and keeps the SHA-256 of every
activation; --wide runs the 16x8 operators and networks, --tails the operators over odd sizes,
--operators those of operator_models.py, kept in the same way. --written takes the files of such a folder (written_goldens.cjs) instead of generating them.
"""
import argparse
import base64
import hashlib
import importlib.metadata
import json
import pathlib
import zlib

import numpy

import net_models
import operator_models
import tail_models
import tie_models
import tflite_run

# Images of a case: about so many values, at least 3 and at most 16.
VALUES = 1500
NET_IMAGES = 20


def seeded(seed, length):
    """SHA-256 of "seed/0", "seed/1", ... one after the other; inputs.cjs has the same."""
    blocks = (hashlib.sha256(f'{seed}/{i}'.encode()).digest() for i in range(-(-length // 32)))
    return b''.join(blocks)[:length]


def images_of(model):
    graph = tflite_run.unpack(model).subgraphs[0]
    size = int(numpy.prod(graph.tensors[graph.outputs[0]].shape))
    return min(max(-(-VALUES // size), 3), 16)


def outputs(model, case, runtime, threads):
    graph = tflite_run.unpack(model).subgraphs[0]
    resolver = tflite_run.RUNTIMES[runtime][1]
    if resolver is None:
        oracle = tflite_run.Micro(model)
    else:
        oracle = tflite_run.LiteRt(model, resolver, threads)
    shape, dtype = oracle.input['shape'], oracle.input['dtype']
    result = b''
    for i in range(images_of(model)):
        data = seeded(f'{case}/image{i}', int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize)
        codes = numpy.frombuffer(data, dtype).reshape(shape)
        # The last activation is the case's own operator.
        last = tflite_run.activations(graph)
        result += numpy.ascontiguousarray(oracle.run(codes, last)[-1]).tobytes()
    return result


def hashes(model, case, runtime, threads):
    """Of every activation over 20 images, by name."""
    graph = tflite_run.unpack(model).subgraphs[0]
    resolver = tflite_run.RUNTIMES[runtime][1]
    if resolver is None:
        oracle = tflite_run.Micro(model)
    else:
        oracle = tflite_run.LiteRt(model, resolver, threads)
    shape, dtype = oracle.input['shape'], oracle.input['dtype']
    indices = tflite_run.activations(graph)
    digests = [hashlib.sha256() for _ in indices]
    for i in range(NET_IMAGES):
        data = seeded(f'{case}/image{i}', int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize)
        codes = numpy.frombuffer(data, dtype).reshape(shape)
        for digest, tensor in zip(digests, oracle.run(codes, indices)):
            digest.update(numpy.ascontiguousarray(tensor).tobytes())
    names = [graph.tensors[index].name.decode() for index in indices]
    return {name: digest.hexdigest() for name, digest in zip(names, digests)}


def one_net(case, model, threads):
    results = {}
    refused = {}
    for runtime in tflite_run.RUNTIMES:
        try:
            results[runtime] = hashes(model, case, runtime, threads)
        except (RuntimeError, ValueError) as error:
            refused[runtime] = str(error).strip().splitlines()[0][:160]
    common = {name for tensors in results.values() for name in tensors}
    # A tensor on which all runtimes agree is listed once.
    agreed = {}
    for name in sorted(common):
        found = {tensors.get(name) for tensors in results.values()}
        if len(found) == 1:
            agreed[name] = found.pop()
    own = {
        runtime: {name: value for name, value in tensors.items() if name not in agreed}
        for runtime, tensors in results.items()
    }
    return {'images': NET_IMAGES, 'agreed': agreed, 'runtimes': own,
            **({'refused': refused} if refused else {})}


def one_case(case, model, threads):
    by_output = {}
    refused = {}
    for runtime in tflite_run.RUNTIMES:
        try:
            by_output.setdefault(outputs(model, case, runtime, threads), []).append(runtime)
        except (RuntimeError, ValueError) as error:
            refused[runtime] = str(error).strip().splitlines()[0][:160]
    results = [
        {'runtimes': runtimes, 'codes': base64.b64encode(zlib.compress(data, 9)).decode()}
        for data, runtimes in by_output.items()
    ]
    return {'images': images_of(model), 'results': results, **({'refused': refused} if refused else {})}


def stored(folder):
    """The files of OUT by case."""
    data = (folder / 'models.bin').read_bytes()
    cases = json.loads((folder / 'goldens.json').read_text())['cases']
    return {
        case: data[facts['offset'] : facts['offset'] + facts['length']]
        for case, facts in cases.items()
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('out', type=pathlib.Path)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--nets', action='store_true')
    parser.add_argument('--wide', action='store_true')
    parser.add_argument('--tails', action='store_true')
    parser.add_argument('--operators', action='store_true')
    parser.add_argument('--written', type=pathlib.Path)
    options = parser.parse_args()
    if options.wide:
        models, source = {**tie_models.wide_cases(), **net_models.wide_cases()}, 'wide --wide'
        makers = 'tie_models.py and net'
    elif options.tails:
        models, source, makers = tail_models.cases(), 'tails --tails', 'tail'
    elif options.operators:
        models, source, makers = operator_models.cases(), 'operators --operators', 'operator'
    elif options.nets:
        models, source, makers = net_models.cases(), 'nets --nets', 'net'
    else:
        models, source, makers = tie_models.cases(), 'ties', 'tie'
    if options.written is not None:
        models = stored(options.written)
    run = one_net if options.nets or options.wide or options.tails or options.operators else one_case
    offset = 0
    goldens = {}
    for case, model in models.items():
        goldens[case] = {'offset': offset, 'length': len(model), **run(case, model, options.threads)}
        offset += len(model)
    packages = sorted({package for package, _ in tflite_run.RUNTIMES.values()})
    record = {
        'provenance': {
            'command': f'python tie_goldens.py test/golden/{source}',
            'packages': [f'{name} {importlib.metadata.version(name)}' for name in packages],
            'licence': f'Apache-2.0; the files are generated by {makers}_models.py',
        },
        'cases': goldens,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / 'models.bin').write_bytes(b''.join(models.values()))
    (options.out / 'goldens.json').write_text(json.dumps(record, indent=1) + '\n')


if __name__ == '__main__':
    main()
