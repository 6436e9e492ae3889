"""The encoder of docs/deflate.md once more, slow and plain, written from the page: deflate.py LEVEL FILE [SKIP] gives the block
behind the first SKIP bytes, which are its dictionary."""
import sys

W = 32768

def encode(level, dic, block):
    dic = dic[-W:]
    T = dic + block
    end = len(T)
    Z = T + bytes(600)
    four = lambda n: int.from_bytes(Z[n:n + 4], "little")
    log2 = lambda n: n.bit_length() - 1
    def common(a, b, max):
        n = 0
        while n < max and Z[a + n] == Z[b + n]:
            n += 1
        return n
    limits = []
    filled = len(dic)
    while filled < end:
        filled = min(filled + 24 * 1024, end)
        limits.append(end if filled == end else filled - 1024)
    tokens, start = [], len(dic)
    def token(at, l, d):
        nonlocal start
        run = at - start
        while run > 2048:
            tokens.append((2048, 0, 0)); run -= 2048
        if run or l:
            tokens.append((run, l, d))
        start = at + l
    K = 0x9E3779B1
    at = len(dic)
    if level == "default":
        link, table4, table3 = [], {}, {}
        for n in range(end):
            h = (four(n) * K & 0xffffffff) >> 15
            link.append(table4.get(h, 0)); table4[h] = n % 65536
        def note(n):
            h = (four(n) * 256 % 2**32 * K & 0xffffffff) >> 17
            old = table3.get(h, 0)
            table3[h] = n % 65536
            return (n - old) % 65536 or 65536
        def chain(n, reach, count):
            c, last = n, 0
            for _ in range(count):
                d = (n - link[c]) % 65536 or 65536
                if d > reach or d <= last: return
                c, last = n - d, d
                yield c
        for limit in limits:
            while at < min(limit, end - 2):
                top = min(258, end - at)
                m = None
                d3 = note(at)
                for c in chain(at, min(at, W), 1):
                    if four(c) == four(at): m = (common(c, at, top), at - c)
                if not m and d3 <= min(at, 4096) and Z[at - d3:at - d3 + 3] == Z[at:at + 3]:
                    m = (3, d3)
                if not m:
                    at += 1 + min((at - start) >> 8, 15); continue
                L, D = m
                while L < 64 and at < limit and at < end - 2 and L < min(258, end - at):
                    top = min(258, end - at)
                    o = max(L - 3, 1)
                    got = None
                    for c in chain(at + o, min(at, W), 3):
                        if four(c) != four(at + o): continue
                        d = at + o - c
                        for s in (0, 1, 2):
                            if s == 2 and o < 2: continue
                            if four(c - o + s) == four(at + s): break
                        else:
                            continue
                        l = common(c - o + s, at + s, top - s)
                        if (s == 0 and l > L) or 4 * l - log2(d) > 4 * L - log2(D) + (0, 2, 6)[s]:
                            got = (s, l, d); break
                    if not got: break
                    s, L, D = got
                    at += s
                token(at, L, D)
                note(at + 1); note(at + L - 1)
                at += L
    else:
        table = [(0, 0)] * (1 << 14)
        def note(n):
            h = (four(n) * K & 0xffffffff) >> 18
            old = table[h]
            table[h] = (n % 65536, old[0])
            return old
        for n in range(len(dic) - 8): note(n)
        for limit in limits:
            while at < min(limit, end - 3):
                ds = [(at - p) % 65536 or 65536 for p in note(at)]
                same = [common(at - d, at, 8) if d <= min(at, W) else 0 for d in ds]
                d, s = (ds[1], same[1]) if same[1] > same[0] else (ds[0], same[0])
                if s < 4:
                    at += 1 + min((at - start) >> 6, 31); continue
                top = min(258, end - at)
                l = min(s, top)
                if s == 8:
                    l = common(at - d, at, top)
                    if same == [8, 8]:
                        other = common(at - ds[1], at, top)
                        if other > l: l, d = other, ds[1]
                token(at, l, d)
                for n in (at + 1, at + 2, at + l - 2, at + l - 1): note(n)
                at += l
    token(end, 0, 0)
    # Alphabets.
    lsym = {}
    base = 3
    for s in range(28):
        e = 0 if s < 8 else s // 4 - 1
        for n in range(1 << e): lsym[base + n] = (257 + s, e, n)
        base += 1 << e
    lsym[258] = (285, 0, 0)
    def dsym(d):
        d -= 1
        if d < 2: return d, 0, 0
        k = log2(d)
        return 2 * k + (d >> (k - 1) & 1), k - 1, d & ((1 << (k - 1)) - 1)
    # Blocks.
    def G(n):
        k = log2(n); m = (n << 31) >> k; g = k
        for _ in range(8):
            m = m * m >> 31
            g *= 2
            if m >= 1 << 32: m >>= 1; g += 1
        return g
    memo = {}
    def F(n):
        if n == 0: return 0
        if n not in memo:
            if n < 4096: memo[n] = n * G(n)
            else:
                k = log2(n) - 11
                memo[n] = (F(n >> k) << k) + 256 * n * k
        return memo[n]
    E = lambda c: max(0, F(sum(c)) - sum(map(F, c)))
    def cost(p):
        lit, dist, extra, size = p[2], p[3], p[4], p[5]
        used = sum(x > 0 for x in lit) + sum(x > 0 for x in dist)
        return min(E(lit) + E(dist) + 256 * (extra + 40 + 4 * used), 256 * (8 * size + 40))
    pieces = []
    i, pos = 0, 0
    while i < len(tokens):
        lit, dist, extra, size, sym, first, frompos = [0] * 286, [0] * 30, 0, 0, 0, i, pos
        while i < len(tokens) and sym < 1024:
            run, l, d = tokens[i]
            for b in block[pos:pos + run]: lit[b] += 1
            sym += run + (l > 0)
            if l:
                s, e, _ = lsym[l]; lit[s] += 1; extra += e
                s, e, _ = dsym(d); dist[s] += 1; extra += e
            pos += run + l; i += 1
        p = [(first, i), (frompos, pos), lit, dist, extra, pos - frompos]
        pieces.append(p + [cost(p)])
    def both(a, b):
        lit = [x + y for x, y in zip(a[2], b[2])]
        return [(a[0][0], b[0][1]), (a[1][0], b[1][1]), lit, [x + y for x, y in zip(a[3], b[3])], a[4] + b[4], a[5] + b[5]]
    while True:
        gains = [a[6] + b[6] - cost(both(a, b)) for a, b in zip(pieces, pieces[1:])] + [0, 0]
        out, i, left = [], 0, 0
        while i < len(pieces):
            if gains[i] > 0 and gains[i] > left and gains[i] >= gains[i + 1]:
                a, b = pieces[i], pieces[i + 1]
                out.append(both(a, b) + [a[6] + b[6] - gains[i]])
                left = gains[i + 1]; i += 2
            else:
                out.append(pieces[i]); left = gains[i]; i += 1
        done = len(out) == len(pieces)
        pieces = out
        if done: break
    # Codes.
    def lengths(counts, limit):
        counts = list(counts)
        for s in range(len(counts)):
            if sum(c > 0 for c in counts) >= 2: break
            if counts[s] == 0: counts[s] = 1
        leaves = sorted((c, s) for s, c in enumerate(counts) if c)
        q = [(c, 0, k, (s,)) for k, (c, s) in enumerate(leaves)]
        depth = dict.fromkeys((s for _, s in leaves), 0)
        k = 0
        import heapq
        heapq.heapify(q)
        while len(q) > 1:
            a, b = heapq.heappop(q), heapq.heappop(q)
            for s in a[3] + b[3]: depth[s] += 1
            heapq.heappush(q, (a[0] + b[0], 1, k, a[3] + b[3])); k += 1
        at = [0] * 300
        for d in depth.values(): at[min(d, limit)] += 1
        while sum(n << (limit - d) for d, n in enumerate(at[:limit + 1])) > 1 << limit:
            d = max(d for d in range(1, limit) if at[d])
            at[d] -= 1; at[d + 1] += 2; at[limit] -= 1
        out = [0] * len(counts)
        order = iter(leaves)
        for d in range(limit, 0, -1):
            for _ in range(at[d]): out[next(order)[1]] = d
        return out
    def codes(ls):
        out, code = [0] * len(ls), 0
        for d in range(1, 16):
            for s, l in enumerate(ls):
                if l == d:
                    out[s] = int(format(code, f"0{d}b")[::-1], 2); code += 1
            code <<= 1
        return out
    acc = n = 0
    res = bytearray()
    def put(v, c):
        nonlocal acc, n
        acc |= v << n; n += c
        while n >= 8:
            res.append(acc & 255); acc >>= 8; n -= 8
    def store(data):
        while True:
            put(0, 3); put(0, -n % 8)
            b, data = data[:65535], data[65535:]
            res.extend(len(b).to_bytes(2, "little") + (len(b) ^ 0xffff).to_bytes(2, "little") + b)
            if not data: return
    FL, FD = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8, [5] * 32
    for toks, span, lit, dist, extra, size, _ in pieces:
        lit[256] = 1
        ll, dl = lengths(lit, 15), lengths(dist, 15)
        nl = max(257, max(s for s in range(286) if ll[s]) + 1)
        nd = max([1] + [s + 1 for s in range(30) if dl[s]])
        seq, items, i = ll[:nl] + dl[:nd], [], 0
        while i < len(seq):
            j = i
            while j < len(seq) and seq[j] == seq[i]: j += 1
            v, r = seq[i], j - i
            if v == 0: rep = [(18, 11, 138, 7), (17, 3, 10, 3)]
            else: items.append((v, 0, 0)); r -= 1; rep = [(16, 3, 6, 2)]
            for s, lo, hi, c in rep:
                while r >= lo: t = min(r, hi); items.append((s, t - lo, c)); r -= t
            items += [(v, 0, 0)] * r
            i = j
        cc = [sum(it[0] == s for it in items) for s in range(19)]
        cl = lengths(cc, 7)
        order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
        told = max(4, max(i + 1 for i, s in enumerate(order) if cl[s]))
        own = 3 + 14 + 3 * told + sum(cl[s] + c for s, _, c in items) + extra + sum(a * b for a, b in zip(lit, ll)) + sum(a * b for a, b in zip(dist, dl))
        fixed = 3 + extra + sum(a * b for a, b in zip(lit, FL)) + sum(a * b for a, b in zip(dist, FD))
        nb = max(1, -(-size // 65535))
        stored = 3 + -(n + 3) % 8 + (nb - 1) * 8 + nb * 32 + size * 8
        if stored <= min(fixed, own):
            store(block[span[0]:span[1]]); continue
        if fixed <= own:
            put(2, 3); ll, dl = FL, FD
        else:
            put(4, 3); put(nl - 257, 5); put(nd - 1, 5); put(told - 4, 4)
            for s in order[:told]: put(cl[s], 3)
            cs = codes(cl)
            for s, x, c in items: put(cs[s], cl[s]); put(x, c)
        lc, dc = codes(ll), codes(dl)
        pos = span[0]
        for run, l, d in tokens[toks[0]:toks[1]]:
            for b in block[pos:pos + run]: put(lc[b], ll[b])
            if l:
                s, e, x = lsym[l]; put(lc[s], ll[s]); put(x, e)
                s, e, x = dsym(d); put(dc[s], dl[s]); put(x, e)
            pos += run + l
        put(lc[256], ll[256])
    store(b"")
    return bytes(res)

if __name__ == "__main__":
    data = open(sys.argv[2], "rb").read()
    skip = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    sys.stdout.buffer.write(encode(sys.argv[1], data[:skip], data[skip:]))
