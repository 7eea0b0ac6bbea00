# SPDX-License-Identifier: Apache-2.0
"""
The integer program in Python: a second pair of eyes on src/program/NOTES.md, written from that page
alone. Reads .lbp bytes and runs them on one image. Needs numpy.
"""

import struct
import zlib

import numpy as np

TYPES = ("u8", "s8", "s16", "s32")
DTYPES = {"u8": np.uint8, "s8": np.int8, "s16": np.int16, "s32": np.int32}
LIMITS = {
    "u8": (0, 255),
    "s8": (-128, 127),
    "s16": (-(2**15), 2**15 - 1),
    "s32": (-(2**31), 2**31 - 1),
}
RULES = (
    *("floor", "ceil", "trunc0", "halfUp", "halfDown", "halfAway", "halfToZero"),
    *("halfEven", "halfOdd", "gemmlowp2", "ruyx86"),
)
FLOAT_RULES = ("halfEven", "halfAway", "halfUp", "addHalfFloor")
OPCODES = (
    *("conv", "add", "mul", "averagePool", "maxPool", "concat", "pad", "reshape", "lut"),
    *("softmax", "splice", "resize"),
)


class Trap(Exception):
    """An accumulator left its range: layer, NHWC index of the output element, value."""


# ---- bytes ---------------------------------------------------------------------------------------


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def u32(self, count=None):
        return self.take("I")[0] if count is None else self.take(f"{count}I")

    def i32(self):
        return self.take("i")[0]

    def f32(self):
        return np.float32(self.take("f")[0])

    def word(self, names):
        return names[self.u32()]

    def padded(self, size):
        part = self.data[self.at : self.at + size]
        self.at += (size + 3) // 4 * 4
        return part

    def text(self):
        return self.padded(self.u32()).decode("utf-8")

    def array(self, dtype):
        count = self.u32()
        size = np.dtype(dtype).itemsize
        return np.frombuffer(self.padded(count * size), dtype=np.dtype(dtype).newbyteorder("<"))

    def integers(self, dtype):
        return self.array(dtype).astype(np.int64)


def read_program(data):
    magic, version, total, crc = struct.unpack_from("<4sIII", data)
    assert (magic, version, total) == (b"LBP1", 1, len(data)) and crc == zlib.crc32(data[16:])
    r = Reader(data[16:])
    program = {"target": r.text(), "metadata": [(r.text(), r.text()) for _ in range(r.u32())]}
    program["tensors"] = [read_tensor(r) for _ in range(r.u32())]
    program["input"] = r.u32()
    program["quantization"] = (r.u32(), r.u32())
    program["outputs"] = list(r.integers(np.uint32))
    program["ops"] = [read_op(r) for _ in range(r.u32())]
    return program


def read_tensor(r):
    tensor = {"name": r.text(), "type": r.word(TYPES)}
    tensor["height"], tensor["width"], tensor["channels"] = r.u32(3)
    tensor["zero"], tensor["scale"] = r.i32(), r.f32()
    return tensor


def read_op(r):
    op = {"op": r.word(OPCODES)}
    size = r.u32()
    op["name"], op["inputs"], op["output"] = r.text(), list(r.integers(np.uint32)), r.u32()
    end = r.at + size
    READERS.get(op["op"], lambda r, op: None)(r, op)
    assert r.at == end, op["name"]
    return op


def read_window(r, op, dilated):
    op["kernel"], op["strides"] = r.u32(2), r.u32(2)
    op["dilations"] = r.u32(2) if dilated else (1, 1)
    op["pads"] = r.u32(4)


def read_conv(r, op):
    read_window(r, op, True)
    op["groups"] = r.u32()
    op["weights"] = r.integers((np.int8, np.uint8, np.int16)[r.u32()])
    op["weight_zeros"], op["bias"] = r.integers(np.int32), r.integers(np.int32)
    bits = r.u32()
    overflow = r.word(("wrap", "saturate", "saturateSymmetric", "trap"))
    op["accumulator"] = (bits, overflow)
    op["each"] = r.word(("each", "end")) == "each"
    op["pairs"] = r.word(("exact", "satPairs16")) == "satPairs16"
    op["bias_first"] = r.u32() == 1
    op["requant"], op["clamp"] = read_requant(r), read_clamp(r)


def read_add(r, op):
    kind = r.word(("rescaled", "aligned", "f32", "requant", "tables"))
    form = {"kind": kind}
    if kind == "rescaled":
        names = ("left", "ma", "sa", "mb", "sb", "mo", "so", "rule")
        form.update(zip(names, r.take("IiIiIiII")))
    elif kind == "aligned":
        form.update(zip(("ma", "mb", "shift", "rule"), r.take("iiII")))
    elif kind == "f32":
        form["form"] = r.word(("separate", "fused", "direct"))
        form["a"], form["b"], form["out"] = r.f32(), r.f32(), r.f32()
    elif kind == "requant":
        form["ma"], form["mb"] = r.i32(), r.i32()
        form["requant"] = read_requant(r)
    else:
        form["ta"], form["tb"] = r.integers(np.int32), r.integers(np.int32)
        form["requant"] = read_requant(r)
    op["form"], op["clamp"] = form, read_clamp(r)


def read_mul(r, op):
    op["requant"], op["clamp"] = read_requant(r), read_clamp(r)


def read_average(r, op):
    read_window(r, op, False)
    kind = r.word(("divide", "requant", "f32Window"))
    op["kind"] = kind
    if kind == "divide":
        op["rule"] = r.word(("halfAway", "halfUp", "trunc0"))
    elif kind == "requant":
        op["requant"] = read_requant(r)
    else:
        op["scale_in"], op["scale_out"] = r.f32(), r.f32()
    op["clamp"] = read_clamp(r)


def read_max(r, op):
    read_window(r, op, False)
    op["clamp"] = read_clamp(r)


def read_softmax(r, op):
    op["kind"] = r.word(("gemmlowp", "f32Table", "wideTable"))
    if op["kind"] == "gemmlowp":
        op["multiplier"], op["left"], op["diff_min"] = r.take("iIi")
    elif op["kind"] == "f32Table":
        op["table"], op["scale"] = r.array(np.float32), r.f32()
        op["rule"] = r.word(("halfAway", "truncHalf"))
    else:
        op["exp"], op["reciprocal"] = r.integers(np.int16), r.integers(np.int16)


def read_resize(r, op):
    op["kind"] = r.word(("integer", "f32Codes", "f32Reals", "f32Shares"))
    if op["kind"] == "integer":
        op["bits"], op["rule"] = r.u32(), RULES[r.u32()]
    elif op["kind"] == "f32Reals":
        op["scale_in"], op["scale_out"] = r.f32(), r.f32()
    for axis in ("rows", "columns"):
        places = [r.integers(np.int32), r.integers(np.int32)]
        if op["kind"] == "integer":
            op[axis] = (*places, r.integers(np.int32))
        else:
            op[axis] = (*places, r.array(np.float32), r.array(np.float32))


READERS = {
    "conv": read_conv,
    "add": read_add,
    "mul": read_mul,
    "averagePool": read_average,
    "maxPool": read_max,
    "pad": lambda r, op: op.update(pads=r.u32(4)),
    "lut": lambda r, op: op.update(table=r.integers(np.int32)),
    "softmax": read_softmax,
    "resize": read_resize,
    "splice": lambda r, op: op.update(zip(("period", "from"), r.u32(2))),
}


def read_clamp(r):
    return r.integers(np.int32), r.integers(np.int32)


def read_requant(r):
    kind = r.word(("none", "fixed", "f32", "shift", "stages", "f32Rule", "f64"))
    if kind == "none":
        return (kind,)
    if kind == "fixed":
        rule = r.word(RULES)
        return kind, rule, r.integers(np.int32), r.integers(np.uint8)
    if kind == "shift":
        return kind, r.word(RULES), r.integers(np.int8)
    if kind == "stages":
        return kind, [read_stage(r) for _ in range(r.u32())]
    if kind == "f32":
        return "f32Rule", "halfEven", r.array(np.float32)
    if kind == "f32Rule":
        return kind, r.word(FLOAT_RULES), r.array(np.float32)
    return kind, r.array(np.float64)


def read_stage(r):
    kinds = ("add", "multiply", "shift", "saturate", "clamp", "segments", "thresholds")
    kind = r.word(kinds)
    if kind == "add":
        return kind, r.integers(np.int64)
    if kind == "multiply":
        return kind, r.integers(np.int32)
    if kind == "shift":
        return kind, r.word(RULES), r.integers(np.int8)
    if kind == "saturate":
        return kind, r.u32()
    if kind == "clamp":
        return kind, r.integers(np.int64), r.integers(np.int64)
    if kind == "segments":
        rule = r.word(RULES)
        start, multiplier = r.integers(np.int64), r.integers(np.int32)
        return kind, rule, start, multiplier, r.integers(np.uint8), r.integers(np.int64)
    strict, count = r.u32(), r.u32()
    return kind, strict == 1, r.integers(np.int64).reshape(-1, count)


# ---- rounding ------------------------------------------------------------------------------------


def addend(p, s, rule):
    """R of "Rounding rules"; p and s broadcast, s at least 1."""
    h = np.left_shift(1, s - 1)
    ones = h - 1 + h
    odd = (p >> s) & 1
    return {
        "floor": lambda: 0 * p,
        "ceil": lambda: ones,
        "trunc0": lambda: np.where(p < 0, ones, 0),
        "halfUp": lambda: h,
        "halfDown": lambda: h - 1,
        "halfAway": lambda: h - (p < 0),
        "halfToZero": lambda: h - (p >= 0),
        "halfEven": lambda: h - 1 + odd,
        "halfOdd": lambda: h - odd,
    }[rule]()


def round_shift(p, s, rule):
    return (p + addend(p, s, rule)) >> s


def fixed(a, m, s, rule):
    """Accumulators of at most 32 bits, so that 64 bits hold everything."""
    p = a * m
    if rule not in ("gemmlowp2", "ruyx86"):
        return round_shift(p, s, rule)
    first = np.where(a >= 0, 2**30, -(2**30)) if rule == "gemmlowp2" else 2**30
    return (p + np.left_shift(1, s - 1) + np.where(s > 31, first, 0)) >> s


def fixed_exact(a, m, s, rule):
    """The same for any accumulator, number by number on Python's integers."""
    a, m, s = np.broadcast_arrays(a, m, s)
    out = np.empty(a.shape, np.int64)
    limit = 2**62  # beyond every clamp, and within 64 bits behind the zero point
    for i in np.ndindex(a.shape):
        p, shift = int(a[i]) * int(m[i]), int(s[i])
        h = 1 << (shift - 1)
        odd = (p >> shift) & 1
        r = {
            "floor": 0,
            "ceil": 2 * h - 1,
            "trunc0": 2 * h - 1 if p < 0 else 0,
            "halfUp": h,
            "halfDown": h - 1,
            "halfAway": h - (p < 0),
            "halfToZero": h - (p >= 0),
            "halfEven": h - 1 + odd,
            "halfOdd": h - odd,
        }[rule]
        out[i] = min(max((p + r) >> shift, -limit), limit)
    return out


def shifted(a, s, rule):
    """Shifts of 0 and less multiply."""
    a, s = np.broadcast_arrays(a, s)
    right = round_shift(a, np.maximum(s, 1), rule)
    # To the left a result may leave 64 bits; it is beyond every clamp then.
    left = np.minimum(62, np.maximum(-s, 0))
    room = 62 - left
    within = np.clip(a, -np.left_shift(1, room), np.left_shift(1, room))
    return np.where(s > 0, right, np.left_shift(within, left))


def half_away(x):
    """A float to the nearest integer, ties away from zero; infinities stay."""
    down = np.floor(np.abs(x))
    rest = np.abs(x) - np.where(np.isinf(down), 0, down)
    return np.copysign(down + (rest >= 0.5), x)


def round_float(x, rule):
    """float32 x, as float64 with an integer in it."""
    wide = x.astype(np.float64)
    if rule == "halfEven":
        return np.rint(wide)
    if rule == "halfAway":
        return half_away(wide)
    if rule == "halfUp":
        return np.floor(wide + 0.5)
    return np.floor((x + np.float32(0.5)).astype(np.float64))


# ---- requantization ------------------------------------------------------------------------------


def per_channel(values):
    """One entry, or one per channel, against [..., C]."""
    return np.asarray(values)


def requantize(a, requant, wide=False):
    """Integers [..., C], or floats with integers in them, before zero point and clamp."""
    kind = requant[0]
    if kind == "none":
        return a
    if kind == "fixed":
        _, rule, m, s = requant
        return (fixed_exact if wide else fixed)(a, per_channel(m), per_channel(s), rule)
    if kind == "shift":
        return shifted(a, per_channel(requant[2]), requant[1])
    if kind == "f32Rule":
        return round_float(a.astype(np.float32) * per_channel(requant[2]), requant[1])
    if kind == "f64":
        return half_away(a.astype(np.float64) * per_channel(requant[1]))
    for stage in requant[1]:
        a = run_stage(a, stage)
    return a


def run_stage(v, stage):
    kind = stage[0]
    if kind == "add":
        return v + per_channel(stage[1])
    if kind == "multiply":
        return v * per_channel(stage[1])
    if kind == "shift":
        return shifted(v, per_channel(stage[2]), stage[1])
    if kind == "saturate":
        return np.clip(v, -(2 ** (stage[1] - 1)), 2 ** (stage[1] - 1) - 1)
    if kind == "clamp":
        return np.minimum(np.maximum(v, per_channel(stage[1])), per_channel(stage[2]))
    if kind == "segments":
        _, rule, start, multiplier, shift, offset = stage
        k = np.maximum(np.searchsorted(start, v, side="right") - 1, 0)
        p = (v - start[k]) * multiplier[k]
        s = shift[k]
        return np.where(s > 0, round_shift(p, np.maximum(s, 1), rule), p) + offset[k]
    _, strict, values = stage
    side = "left" if strict else "right"
    out = np.empty_like(v)
    for c in range(v.shape[-1]):
        own = values[c if len(values) > 1 else 0]
        out[..., c] = np.searchsorted(own, v[..., c], side=side)
    return out


def finish(a, requant, zero, clamp, wide=False):
    return clamped(requantize(a, requant, wide) + zero, clamp)


def clamped(y, clamp):
    lo, hi = clamp
    # Of floats NaN cannot come, infinities can.
    return np.minimum(np.maximum(y, lo), hi).astype(np.int64)


# ---- operations ----------------------------------------------------------------------------------


def window_rows(x, op, height, width, outside):
    """Codes under each window, [OH, OW, KH * KW, C], and which of them lie inside, [OH, OW, KH * KW]."""
    (kh, kw), (sy, sx), (dy, dx) = op["kernel"], op["strides"], op["dilations"]
    top, left = op["pads"][:2]
    rows = np.arange(height)[:, None] * sy - top + np.arange(kh)[None, :] * dy
    columns = np.arange(width)[:, None] * sx - left + np.arange(kw)[None, :] * dx
    inside_rows = (rows >= 0) & (rows < x.shape[0])
    inside_columns = (columns >= 0) & (columns < x.shape[1])
    rows, columns = rows.clip(0, x.shape[0] - 1), columns.clip(0, x.shape[1] - 1)
    codes = x[rows[:, None, :, None], columns[None, :, None, :]]
    inside = inside_rows[:, None, :, None] & inside_columns[None, :, None, :]
    codes = np.where(inside[..., None], codes, outside)
    shape = (height, width, kh * kw)
    return codes.reshape(*shape, x.shape[2]), inside.reshape(shape)


def overflow(v, accumulator):
    bits, mode = accumulator
    half = 1 << (bits - 1)
    if mode == "wrap":
        if bits == 64:
            return v
        return ((v + half) & (2 * half - 1)) - half
    low = 1 - half if mode == "saturateSymmetric" else -half
    return np.clip(v, low, half - 1)


def conv(op, x, tensor, out):
    groups, outputs = op["groups"], out["channels"]
    per_group, count = outputs // groups, tensor["channels"] // groups
    height, width = out["height"], out["width"]
    zeros = np.broadcast_to(op["weight_zeros"], outputs)
    weights = op["weights"].reshape(outputs, -1)
    codes, _ = window_rows(x, op, height, width, tensor["zero"])
    taps = codes.shape[2]
    sums = np.empty((height, width, outputs), np.int64)
    first_trap = None
    for g in range(groups):
        own = slice(g * per_group, (g + 1) * per_group)
        terms = codes[..., g * count : (g + 1) * count].reshape(height * width, taps * count)
        w = weights[own]
        part, trap = sums_of(op, terms, w, zeros[own], op["bias"][own], tensor["zero"])
        sums[..., own] = part.reshape(height, width, per_group)
        if trap is not None:
            places, values = trap
            elements = places[:, 0] * outputs + g * per_group + places[:, 1]
            best = elements.argmin()
            if first_trap is None or elements[best] < first_trap[0]:
                first_trap = (int(elements[best]), int(values[best]))
    if first_trap is not None:
        raise Trap(op["name"], *first_trap)
    wide = op["accumulator"][0] > 32
    return finish(sums, op["requant"], out["zero"], op["clamp"], wide)


def sums_of(op, terms, w, zeros, bias, zero):
    """Accumulators [pixels, outputs], and (places, values) of traps."""
    if op["pairs"]:
        return trapped(saturated_pairs(terms, w, bias, zero), op["accumulator"])
    x, w = terms - zero, w - zeros[:, None]
    bits, mode = op["accumulator"]
    if not op["each"]:
        sums = product(x, w) + bias
        return trapped(sums, op["accumulator"])
    half = 1 << (bits - 1)
    sums = np.broadcast_to(bias if op["bias_first"] else 0 * bias, (len(x), len(w))).astype(np.int64)
    added = [x[:, k, None] * w[None, :, k] for k in range(w.shape[1])]
    steps = added if op["bias_first"] else [*added, np.broadcast_to(bias, sums.shape)]
    caught = np.zeros(sums.shape, bool)
    values = np.zeros(sums.shape, np.int64)
    for step in [0 * sums, *steps] if op["bias_first"] else steps:
        exact = sums + step
        if mode == "trap":
            bad = ((exact < -half) | (exact >= half)) & ~caught
            values[bad], caught[bad] = exact[bad], True
            sums = np.where(caught, sums, exact)
        else:
            sums = overflow(exact, op["accumulator"])
    if caught.any():
        places = np.argwhere(caught)
        return sums, (places, values[caught])
    return sums, None


def product(x, w):
    """Exact: by float64 where 53 bits hold every sum."""
    bound = int(np.abs(x).max(initial=0)) * int(np.abs(w).sum(axis=1).max(initial=0))
    if bound < 2**53:
        return (x.astype(np.float64) @ w.T.astype(np.float64)).astype(np.int64)
    return x @ w.T


def trapped(sums, accumulator):
    bits, mode = accumulator
    if mode != "trap":
        return overflow(sums, accumulator), None
    half = 1 << (bits - 1)
    bad = (sums < -half) | (sums >= half)
    return sums, (np.argwhere(bad), sums[bad]) if bad.any() else None


def saturated_pairs(terms, w, bias, zero):
    if w.shape[1] % 2 == 1:
        w = np.pad(w, ((0, 0), (0, 1)))
        terms = np.pad(terms, ((0, 0), (0, 1)))
    sums = np.broadcast_to(bias - zero * w.sum(axis=1), (len(terms), len(w))).astype(np.int64)
    for k in range(0, w.shape[1], 2):
        pair = terms[:, k, None] * w[None, :, k] + terms[:, k + 1, None] * w[None, :, k + 1]
        sums = sums + np.clip(pair, -(2**15), 2**15 - 1)
    return sums


def f32(x):
    return np.asarray(x).astype(np.float32)


def fma32(a, b, c):
    """float32 a * b + c, rounded once: the sum in float64 is rounded to odd first."""
    p = a.astype(np.float64) * np.asarray(b, np.float64)  # exact, 48 bits
    c = np.asarray(c, np.float64)
    s = p + c
    t = s - p
    error = (p - (s - t)) + (c - t)
    bits = s.view(np.int64) if s.ndim else np.array([s]).view(np.int64)[0]
    toward = np.where(error > 0, np.inf, -np.inf)
    odd = np.where((error != 0) & ((bits & 1) == 0), np.nextafter(s, toward), s)
    return odd.astype(np.float32)


def add(op, a, b, ta, tb, out):
    form, clamp, z = op["form"], op["clamp"], out["zero"]
    kind = form["kind"]
    xa, xb = a - ta["zero"], b - tb["zero"]
    if kind == "rescaled":
        rule = RULES[form["rule"]]
        left = fixed(xa << form["left"], form["ma"], np.int64(form["sa"]), rule)
        right = fixed(xb << form["left"], form["mb"], np.int64(form["sb"]), rule)
        return clamped(fixed(left + right, form["mo"], np.int64(form["so"]), rule) + z, clamp)
    if kind == "aligned":
        p = xa * form["ma"] + xb * form["mb"]
        shift = np.int64(form["shift"])
        rounded = p if shift == 0 else round_shift(p, shift, RULES[form["rule"]])
        return clamped(rounded + z, clamp)
    if kind == "requant":
        return finish(xa * form["ma"] + xb * form["mb"], form["requant"], z, clamp)
    if kind == "tables":
        la, lb = LIMITS[ta["type"]][0], LIMITS[tb["type"]][0]
        return finish(form["ta"][a - la] + form["tb"][b - lb], form["requant"], z, clamp)
    ra, rb, zero = form["a"], form["b"], np.float32(z)
    za, zb = np.float32(ta["zero"]), np.float32(tb["zero"])
    if form["form"] == "separate":
        fix = zero - (ra * za + rb * zb)
        y = (fix + f32(a) * ra) + f32(b) * rb
    elif form["form"] == "fused":
        fix = zero - fma32(np.array([ra]), za, rb * zb)
        y = fma32(f32(a), ra, fma32(f32(b), rb, fix))
    else:
        y = (ra * f32(xa) + rb * f32(xb)) / form["out"] + zero
    return clamped(np.rint(y.astype(np.float64)), clamp)


def mul(op, a, b, ta, tb, out):
    p = (a - ta["zero"]) * (b - tb["zero"])
    return finish(p, op["requant"], out["zero"], op["clamp"])


def average_pool(op, x, tensor, out):
    codes, inside = window_rows(x, op, out["height"], out["width"], 0)
    n = inside.sum(axis=2)[..., None]
    held = inside[..., None]
    if op["kind"] == "divide":
        s = np.where(held, codes, 0).sum(axis=2)
        if op["rule"] == "halfUp":
            y = (s + n // 2) // n
        else:
            half = 0 if op["rule"] == "trunc0" else np.where(s > 0, 1, -1) * (n // 2)
            total = s + half
            y = np.sign(total) * (np.abs(total) // n)
        return clamped(y, op["clamp"])
    centred = codes - tensor["zero"]
    if op["kind"] == "requant":
        a = np.where(held, centred, 0).sum(axis=2)
        return finish(a, op["requant"], out["zero"], op["clamp"])
    sums = np.zeros(codes.shape[:2] + codes.shape[3:], np.float32)
    for k in range(codes.shape[2]):
        term = f32(centred[:, :, k]) * op["scale_in"]
        sums = np.where(held[:, :, k], sums + term, sums)
    y = (sums / f32(n)) / op["scale_out"] + np.float32(out["zero"])
    return clamped(np.rint(y.astype(np.float64)), op["clamp"])


def max_pool(op, x, out):
    codes, _ = window_rows(x, op, out["height"], out["width"], np.iinfo(np.int64).min)
    return clamped(codes.max(axis=2), op["clamp"])


def pad(op, x, tensor):
    top, left, bottom, right = op["pads"]
    sides = ((top, bottom), (left, right), (0, 0))
    return np.pad(x, sides, constant_values=tensor["zero"])


def splice(op, a, b):
    at = np.arange(a.size).reshape(a.shape) % op["period"]
    return np.where(at >= op["from"], b, a)


def resize(op, x, tensor, out):
    (r1, r2, *rw), (c1, c2, *cw) = op["rows"], op["columns"]
    if op["kind"] == "f32Reals":
        x = f32(x - tensor["zero"]) * op["scale_in"]
    corner = lambda rows, columns: x[rows][:, columns]
    a, b, c, d = corner(r1, c1), corner(r1, c2), corner(r2, c1), corner(r2, c2)
    down = [w[:, None, None] for w in rw]
    across = [w[None, :, None] for w in cw]
    if op["kind"] == "integer":
        n, (u,), (v,) = op["bits"], down, across
        s = (a * (2**n - v) + b * v) * (2**n - u) + (c * (2**n - v) + d * v) * u
        return s if n == 0 else round_shift(s, np.int64(2 * n), op["rule"])
    (u1, u2), (v1, v2) = down, across
    low, high = LIMITS[out["type"]]
    if op["kind"] == "f32Codes":
        s = ((f32(a) * u1 * v1 + f32(c) * u2 * v1) + f32(b) * u1 * v2) + f32(d) * u2 * v2
        y = np.trunc((s + np.float32(0.5)).astype(np.float64))
        return np.clip(y, low, high).astype(np.int64)
    a, b, c, d = f32(a), f32(b), f32(c), f32(d)
    s = ((v1 * u1 * a + v2 * u1 * b) + v1 * u2 * c) + v2 * u2 * d
    if op["kind"] == "f32Shares":
        y = np.trunc((s + np.float32(0.5)).astype(np.float64))
    else:
        y = np.rint((s / op["scale_out"]).astype(np.float64)) + out["zero"]
    return np.clip(y, low, high).astype(np.int64)


# ---- softmax -------------------------------------------------------------------------------------


def saturate32(x):
    return np.clip(x, -(2**31), 2**31 - 1)


def srdhm(a, b):
    both = (a == -(2**31)) & (np.asarray(b) == -(2**31))
    return np.where(both, 2**31 - 1, (a * b + 2**30) >> 31)


def rdbpot(x, k):
    return np.where(np.asarray(k) == 0, x, round_shift(x, np.maximum(k, 1), "halfAway"))


def exp_on_negative(a):
    quarter = 2**24
    inside = (a & (quarter - 1)) - quarter
    x = (inside << 5) + 2**28
    x2 = srdhm(x, x)
    x3, x4 = srdhm(x2, x), srdhm(x2, x2)
    k = rdbpot(srdhm(rdbpot(x4, 2) + x3, 715827883) + x2, 1)
    result = saturate32(1895147668 + srdhm(np.int64(1895147668), x + k))
    rest = inside - a
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for bit, factor in enumerate(factors, 24):
        result = np.where((rest >> bit) & 1, srdhm(result, factor), result)
    return np.where(a == 0, 2**31 - 1, result)


def one_over_one_plus(a):
    d = (a + 2**31 - 1 + 1) >> 1
    x = 1515870810 + srdhm(d, -1010580540)
    for _ in range(3):
        t = 2**29 - srdhm(d, x)
        x = saturate32(x + saturate32(srdhm(x, t) << 2))
    return saturate32(x << 1)


def leading_zeros(x):
    return np.array([32 - int(v).bit_length() for v in x.ravel()]).reshape(x.shape)


def softmax(op, x, out):
    low, high = LIMITS[out["type"]]
    d = x - x.max(axis=-1, keepdims=True)
    if op["kind"] == "gemmlowp":
        kept = d >= op["diff_min"]
        argument = srdhm(np.where(kept, d, 0) << op["left"], op["multiplier"])
        e = np.where(kept, exp_on_negative(argument), 0)
        s = np.where(kept, rdbpot(e, 12), 0).sum(axis=-1, keepdims=True)
        n = leading_zeros(s)
        r = one_over_one_plus(((s << n) & 0xFFFFFFFF) - 2**31)
        y = rdbpot(srdhm(r, e), 12 - n + 31 - 8) + low
        return np.where(kept, np.clip(y, low, high), low)
    if op["kind"] == "f32Table":
        t = op["table"].astype(np.float32)[-d]
        s = np.zeros(t.shape[:-1], np.float32)
        for c in range(t.shape[-1]):
            s = s + t[..., c]
        inverse = (np.float32(1) / (s * op["scale"]))[..., None]
        scaled = t * inverse
        if op["rule"] == "halfAway":
            y = half_away(scaled.astype(np.float64))
        else:
            y = np.trunc((scaled + np.float32(0.5)).astype(np.float64))
        return np.clip(y + out["zero"], low, high).astype(np.int64)
    e = op["exp"][-d]
    s = e.sum(axis=-1, keepdims=True)
    n = leading_zeros(s)
    index = (((s << (n - 1)) + 2**13) >> 14) - 2**16
    r = op["reciprocal"][np.minimum(index, 65535)]
    return np.clip(round_shift(e * r, 31 - n, "halfUp"), 0, 32767)


# ---- a run ---------------------------------------------------------------------------------------


@np.errstate(over="ignore", invalid="ignore")  # infinities are clamped
def run(program, codes):
    """
    All tensors by name as int64 [H, W, C], the input among them.

    Raises Trap; its `tensors` holds what was written before.
    """
    tensors = program["tensors"]
    shape = lambda t: (t["height"], t["width"], t["channels"])
    given = tensors[program["input"]]
    values = {program["input"]: np.asarray(codes, np.int64).reshape(shape(given))}
    for op in program["ops"]:
        out = tensors[op["output"]]
        ins = [tensors[i] for i in op["inputs"]]
        xs = [values[i] for i in op["inputs"]]
        try:
            y = execute(op, xs, ins, out)
        except Trap as trap:
            trap.tensors = {tensors[i]["name"]: v for i, v in values.items()}
            raise
        values[op["output"]] = y.reshape(shape(out))
    return {tensors[i]["name"]: v for i, v in values.items()}


def execute(op, xs, ins, out):
    kind = op["op"]
    if kind == "conv":
        return conv(op, xs[0], ins[0], out)
    if kind == "add":
        return add(op, *xs, *ins, out)
    if kind == "mul":
        return mul(op, *xs, *ins, out)
    if kind == "averagePool":
        return average_pool(op, xs[0], ins[0], out)
    if kind == "maxPool":
        return max_pool(op, xs[0], out)
    if kind == "concat":
        return np.concatenate(xs, axis=2)
    if kind == "pad":
        return pad(op, xs[0], ins[0])
    if kind == "reshape":
        return xs[0]
    if kind == "lut":
        return op["table"][xs[0] - LIMITS[ins[0]["type"]][0]]
    if kind == "softmax":
        return softmax(op, xs[0], out)
    if kind == "resize":
        return resize(op, xs[0], ins[0], out)
    return splice(op, *xs)
