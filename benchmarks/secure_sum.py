"""What a secure sum costs without a network: seconds of a core at a site and the server, bytes."""

import argparse
import time

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec

from privacy.secure.fixed_point import decode_coarse, encode_coarse
from privacy.secure.part import begin, mask, reveal, share
from privacy.secure.roster import Roster
from privacy.secure.unmasking import unmask

RUN = 1


def measure(sites: int, parameters: int, dropped: int) -> None:
    """Print one line: a site's seconds are those of one site, the server's those of its sum."""
    names = [f"s{number:03d}" for number in range(sites)]
    keys = {name: ec.generate_private_key(ec.SECP384R1()) for name in names}
    peers = {name: key.public_key() for name, key in keys.items()}
    values = np.random.default_rng(1).normal(size=parameters)
    parts = {name: begin(name, identity=keys[name], run=RUN, number=1) for name in names}
    roster = Roster(1, tuple(names), tuple(parts[name].advert for name in names))
    sealed, masked, spent = {}, {}, dict.fromkeys(("keys", "shares", "mask", "reveal"), 0.0)

    started = time.process_time()
    begin(names[0], identity=keys[names[0]], run=RUN, number=1)
    spent["keys"] = time.process_time() - started
    for name in names:
        started = time.process_time()
        parts[name], sealed[name] = share(parts[name], roster, peers=peers, run=RUN)
        spent["shares"] = time.process_time() - started
    survivors = names[: sites - dropped]
    total = np.zeros(parameters, np.uint64)
    for place, name in enumerate(survivors):
        own = [sealed[sender][place] for sender in names]
        started = time.process_time()
        words = encode_coarse(values, sites=sites)
        parts[name], masked[name] = mask(parts[name], words, sealed=own, label="x")
        spent["mask"] = time.process_time() - started
        total += words
    revealed = {}
    for name in survivors:
        started = time.process_time()
        revealed[name] = reveal(parts[name], survivors)
        spent["reveal"] = time.process_time() - started
    started = time.process_time()
    found = unmask(masked, roster, revealed)
    server = time.process_time() - started

    assert np.array_equal(found, total)
    off = np.abs(decode_coarse(found) - len(survivors) * values).max()
    adverts = sum(map(len, roster.adverts))
    out = 8 * parameters + len(parts[names[0]].advert)
    out += sum(map(len, sealed[names[0]])) + sum(map(len, revealed[names[0]]))
    came = adverts + sum(map(len, sealed[names[0]]))
    seconds = "  ".join(f"{name} {value:.3f} s" for name, value in spent.items())
    print(
        f"{sites} sites, {dropped} dropped, {parameters:,} parameters: "
        f"a site {sum(spent.values()):.2f} s ({seconds}), {out:,} bytes out and {came:,} in "
        f"beside the model; server {server:.2f} s; off by {off:.1e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--parameters", type=int, default=1_000_000)
    parsed = parser.parse_args()
    for sites in parsed.sites:
        for dropped in (0, sites // 10):
            measure(sites, parsed.parameters, dropped)


if __name__ == "__main__":
    main()
