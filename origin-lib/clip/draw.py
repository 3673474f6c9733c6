#!/usr/bin/env python3
"""Draws table.flv, the clip that stands for a venue camera: see README.md. Standard library and ffmpeg only."""

import array
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import wave

WIDTH, HEIGHT, FPS, SECONDS = 1280, 720, 30, 8
FRAMES = FPS * SECONDS
AUDIO_HZ, AAC_LEN = 48_000, 1024
AAC_FRAMES = AUDIO_HZ * SECONDS // AAC_LEN

# The cloth, in pixels of the picture; a ball's centre stays a radius away from its edges.
CLOTH_X, CLOTH_Y, CLOTH_W, CLOTH_H, RAIL = 120, 136, 1040, 520, 40
RADIUS = 15.0
LEFT, RIGHT, TOP, BOTTOM = RADIUS, CLOTH_W - RADIUS, RADIUS, CLOTH_H - RADIUS

WHITE, YELLOW, RED = (244, 240, 226), (247, 196, 40), (205, 38, 38)

# Two three-cushion shots that bring the balls back to where they began: positions before the first shot and
# before the second, on the cloth. They were found by a search for shots in which the angles at each contact and the
# energy that each ball takes are about those of real balls.
BEFORE_FIRST = ((523.40, 79.66), (459.88, 497.00), (239.12, 41.47))
BEFORE_SECOND = ((255.12, 474.65), (883.88, 23.00), (705.76, 55.29))
FIRST_AT, SECOND_AT, SHOT_S = 0.6, 4.6, 3.3

# Where machines read the frame number: ten squares, most significant bit first, white is 1.
BITS, BIT_X, BIT_Y, BIT_SIZE, BIT_STEP = 10, 808, 32, 32, 40


# --- how the balls move ---------------------------------------------------------------------------------------


class Path:
    """The way of a ball from `start` to `end` by the named cushions (Left, Right, Top, Bottom), by mirror images."""

    def __init__(self, start, end, cushions):
        image = end
        for cushion in reversed(cushions):
            x, y = image
            image = {
                "L": (2 * LEFT - x, y),
                "R": (2 * RIGHT - x, y),
                "T": (x, 2 * TOP - y),
                "B": (x, 2 * BOTTOM - y),
            }[cushion]
        dx, dy = image[0] - start[0], image[1] - start[1]
        self.length = math.hypot(dx, dy)
        dx, dy = dx / self.length, dy / self.length
        self.direction = (dx, dy)
        self.points, self.bounces, done = [start], [], 0.0
        for cushion in cushions:
            x, y = self.points[-1]
            if cushion in "LR":
                step = ((RIGHT if cushion == "R" else LEFT) - x) / dx
            else:
                step = ((BOTTOM if cushion == "B" else TOP) - y) / dy
            assert step > 0, "that cushion is not on the way"
            done += step
            self.points.append((x + dx * step, y + dy * step))
            self.bounces.append(done)
            dx, dy = (-dx, dy) if cushion in "LR" else (dx, -dy)
        self.points.append(end)

    def at(self, way):
        for (x, y), (u, v) in zip(self.points, self.points[1:]):
            leg = math.hypot(u - x, v - y)
            if way <= leg:
                return x + (u - x) * way / leg, y + (v - y) * way / leg
            way -= leg
        return self.points[-1]


class Roll:
    """A ball that rolls along a path from a time on, slowed by the cloth."""

    def __init__(self, path, begin, speed, slowing):
        self.path, self.begin, self.speed, self.slowing = path, begin, speed, slowing

    def at(self, t):
        t = min(max(t - self.begin, 0.0), self.speed / self.slowing)
        return self.path.at(min(self.path.length, self.speed * t - self.slowing * t * t / 2))

    def time_of(self, way):
        left = math.sqrt(max(0.0, self.speed**2 - 2 * self.slowing * way))
        return self.begin + (self.speed - left) / self.slowing


class Shot:
    """A cue ball that meets a first ball, goes by cushions, meets a second ball, and comes to rest.

    Energy is counted in pixels of way still to go, summed over the balls that move, so a ball with `e` left moves
    at the square root of `2 * slowing * e`.
    """

    def __init__(self, begin, cue, first, second, cushions):
        by_first, by_second, by_cue, by_rest = cushions
        self.first_path, self.second_path = Path(*first, by_first), Path(*second, by_second)
        meet = [
            (path.points[0][0] - 2 * RADIUS * path.direction[0], path.points[0][1] - 2 * RADIUS * path.direction[1])
            for path in (self.first_path, self.second_path)
        ]
        legs = (Path(cue[0], meet[0], ""), Path(meet[0], meet[1], by_cue), Path(meet[1], cue[1], by_rest))
        rest = legs[2].length
        second_left = rest + self.second_path.length
        middle = legs[1].length + second_left
        whole = legs[0].length + middle + self.first_path.length

        def speed(energy, slowing=1.0):
            return math.sqrt(2 * slowing * energy)

        to_first = speed(whole) - speed(middle + self.first_path.length)
        to_second = to_first + speed(middle) - speed(second_left)
        last = max(
            to_second + speed(rest),
            to_first + speed(self.first_path.length),
            to_second + speed(self.second_path.length),
        )
        scale = last / SHOT_S
        slowing = scale**2
        self.begin = begin
        self.meets = (begin + to_first / scale, begin + to_second / scale)
        self.cue = (
            Roll(legs[0], begin, speed(whole, slowing), slowing),
            Roll(legs[1], self.meets[0], speed(middle, slowing), slowing),
            Roll(legs[2], self.meets[1], speed(rest, slowing), slowing),
        )
        self.first = Roll(self.first_path, self.meets[0], speed(self.first_path.length, slowing), slowing)
        self.second = Roll(self.second_path, self.meets[1], speed(self.second_path.length, slowing), slowing)

    def balls(self, t):
        leg = sum(t >= meet for meet in self.meets)
        return self.cue[leg].at(t), self.first.at(t), self.second.at(t)

    def sounds(self):
        yield self.begin, "cue", self.cue[0].path.points[0][0], 0.8
        for meet, roll in zip(self.meets, (self.first, self.second)):
            yield meet, "ball", roll.path.points[0][0], min(1.0, roll.speed / 700)
        for roll in (*self.cue, self.first, self.second):
            for way, (x, _) in zip(roll.path.bounces, roll.path.points[1:]):
                t = roll.time_of(way)
                yield t, "cushion", x, min(1.0, (roll.speed - roll.slowing * (t - roll.begin)) / 900)


(W1, Y1, R1), (W2, Y2, R2) = BEFORE_FIRST, BEFORE_SECOND
FIRST = Shot(FIRST_AT, (W1, W2), (Y1, Y2), (R1, R2), ("B", "T", "BLT", "B"))
SECOND = Shot(SECOND_AT, (Y2, Y1), (R2, R1), (W2, W1), ("B", "T", "TLB", "B"))


def balls_at(t):
    """White, yellow, red at `t` seconds of the loop."""
    if t < SECOND_AT:
        return FIRST.balls(t)
    yellow, red, white = SECOND.balls(t)
    return white, yellow, red


# --- how it is drawn ------------------------------------------------------------------------------------------


class Picture:
    """RGB pixels."""

    def __init__(self, data):
        self.data = data

    def blend(self, x, y, colour, alpha):
        if alpha <= 0 or not (0 <= x < WIDTH and 0 <= y < HEIGHT):
            return
        at = 3 * (y * WIDTH + x)
        for channel in range(3):
            old = self.data[at + channel]
            self.data[at + channel] = int(old + (colour[channel] - old) * alpha + 0.5)

    def stroke(self, points, width, colour, alpha=1.0, strip=1.0):
        """A line with round ends through `points`, fainter by `strip` above the table, where the clock is."""
        for a, b in zip(points, points[1:]):
            reach = width / 2 + 1
            for y in range(int(min(a[1], b[1]) - reach), int(max(a[1], b[1]) + reach) + 1):
                for x in range(int(min(a[0], b[0]) - reach), int(max(a[0], b[0]) + reach) + 1):
                    shown = alpha * cover(to_leg(x + 0.5, y + 0.5, a, b) - width / 2)
                    self.blend(x, y, colour, shown * max(strip, min(1.0, max(0.0, (y - 86) / 40))))

    def square(self, x, y, size, colour):
        row = bytes(colour) * size
        for line in range(y, y + size):
            at = 3 * (line * WIDTH + x)
            self.data[at : at + len(row)] = row


def cover(distance):
    """How much of a pixel lies inside an edge that is `distance` pixels further out."""
    return min(1.0, max(0.0, 0.5 - distance))


def to_leg(x, y, a, b):
    dx, dy = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dy * dy
    along = min(1.0, max(0.0, ((x - a[0]) * dx + (y - a[1]) * dy) / square)) if square else 0.0
    return math.hypot(x - a[0] - along * dx, y - a[1] - along * dy)


def to_box(x, y, left, top, width, height, corner):
    """Signed distance to a box with round corners; negative inside."""
    dx = abs(x - left - width / 2) - width / 2 + corner
    dy = abs(y - top - height / 2) - height / 2 + corner
    return math.hypot(max(dx, 0.0), max(dy, 0.0)) + min(max(dx, dy), 0.0) - corner


def mix(a, b, share):
    return tuple(p + (q - p) * share for p, q in zip(a, b))


# Letters and digits as strokes on a grid of 2 x 4.
GLYPHS = {
    "A": [[(0, 4), (0, 1), (1, 0), (2, 1), (2, 4)], [(0, 2.5), (2, 2.5)]],
    "B": [[(0, 0), (1.5, 0), (2, 0.6), (2, 1.4), (1.5, 2), (2, 2.6), (2, 3.4), (1.5, 4), (0, 4), (0, 0)], [(0, 2), (1.5, 2)]],
    "D": [[(0, 0), (1.2, 0), (2, 0.9), (2, 3.1), (1.2, 4), (0, 4), (0, 0)]],
    "E": [[(2, 0), (0, 0), (0, 4), (2, 4)], [(0, 2), (1.5, 2)]],
    "I": [[(1, 0), (1, 4)]],
    "L": [[(0, 0), (0, 4), (2, 4)]],
    "R": [[(0, 4), (0, 0), (1.5, 0), (2, 0.6), (2, 1.5), (1.5, 2.1), (0, 2.1)], [(1.1, 2.1), (2, 4)]],
    "T": [[(0, 0), (2, 0)], [(1, 0), (1, 4)]],
    " ": [],
    ".": [[(0.4, 4), (0.4, 4)]],
}
SEGMENTS = {
    "a": [(0, 0), (2, 0)],
    "b": [(2, 0), (2, 2)],
    "c": [(2, 2), (2, 4)],
    "d": [(0, 4), (2, 4)],
    "e": [(0, 2), (0, 4)],
    "f": [(0, 0), (0, 2)],
    "g": [(0, 2), (2, 2)],
}
DIGITS = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
for number, lit in enumerate(DIGITS):
    GLYPHS[str(number)] = [SEGMENTS[segment] for segment in lit]


def write(picture, text, x, y, unit, width, step, colour):
    for letter in text:
        for points in GLYPHS[letter]:
            picture.stroke([(x + unit * u, y + unit * v) for u, v in points], width, colour)
        x += unit * (1.6 if letter == "." else step)


def background():
    room_near, room_far = (30, 35, 42), (10, 12, 16)
    cloth_near, cloth_far = (36, 124, 170), (20, 84, 126)
    wood_near, wood_far = (92, 50, 30), (58, 29, 17)
    grain, data = random.Random(2), bytearray()
    for py in range(HEIGHT):
        for px in range(WIDTH):
            x, y = px + 0.5, py + 0.5
            far = min(1.0, math.hypot((x - 640) / 800, (y - 396) / 460))
            outer = to_box(x, y, CLOTH_X - RAIL, CLOTH_Y - RAIL, CLOTH_W + 2 * RAIL, CLOTH_H + 2 * RAIL, 22)
            colour = mix(room_near, room_far, far)
            if outer > 0:
                colour = mix(colour, (0, 0, 0), 0.5 * max(0.0, 1 - outer / 26) ** 2)
            if outer < 1:
                colour = mix(colour, mix(wood_near, wood_far, min(1.0, far + 0.18 * abs(outer + 13) / 13)), cover(outer))
                # The cushion's nose, then the cloth with the cushion's shadow.
                nose = to_box(x, y, CLOTH_X - 13, CLOTH_Y - 13, CLOTH_W + 26, CLOTH_H + 26, 4)
                colour = mix(colour, mix((25, 98, 140), (14, 66, 100), far), cover(nose))
                cloth = to_box(x, y, CLOTH_X, CLOTH_Y, CLOTH_W, CLOTH_H, 2)
                bed = mix(cloth_near, cloth_far, far)
                bed = mix(bed, (6, 30, 50), 0.55 * max(0.0, 1 + cloth / 12) ** 2)
                colour = mix(colour, bed, cover(cloth))
            dither = grain.random()  # against bands in the gradients
            data.extend(int(part + dither) for part in colour)
    picture = Picture(data)
    ivory = (226, 216, 192)
    for i in range(1, 8):
        for y in (CLOTH_Y - 26, CLOTH_Y + CLOTH_H + 26):
            picture.stroke([(CLOTH_X + CLOTH_W * i / 8, y)] * 2, 8, ivory)
    for i in range(1, 4):
        for x in (CLOTH_X - 26, CLOTH_X + CLOTH_W + 26):
            picture.stroke([(x, CLOTH_Y + CLOTH_H * i / 4)] * 2, 8, ivory)
    for spot in (0.25, 0.5, 0.75):
        picture.stroke([(CLOTH_X + CLOTH_W * spot, CLOTH_Y + CLOTH_H / 2)] * 2, 5, (14, 62, 96), 0.8)
    write(picture, "RAILBIRD", 82, 29, 6, 4.2, 3.4, (236, 232, 220))
    write(picture, "TABLE 1", 82, 67, 3.4, 2.4, 3.6, (150, 160, 170))
    for bit in range(BITS):
        picture.square(BIT_X + bit * BIT_STEP - 2, BIT_Y - 2, BIT_SIZE + 4, (84, 92, 102))
    return bytes(data)


def draw_ball(picture, places, colour):
    """A ball at the mean of `places`: more than one makes it blur as a camera's shutter would."""
    reach = RADIUS + 1
    left, right = int(min(x for x, _ in places) - reach), int(max(x for x, _ in places) + reach) + 1
    top, bottom = int(min(y for _, y in places) - reach), int(max(y for _, y in places) + reach) + 1
    for py in range(top, bottom + 1):
        for px in range(left, right + 1):
            alpha, sums = 0.0, [0.0, 0.0, 0.0]
            for x, y in places:
                dx, dy = px + 0.5 - x, py + 0.5 - y
                share = cover(math.hypot(dx, dy) - RADIUS)
                if share <= 0:
                    continue
                up = math.sqrt(max(0.0, 1 - (dx * dx + dy * dy) / RADIUS**2))
                light = 0.42 + 0.58 * max(0.0, (-0.35 * dx - 0.5 * dy) / RADIUS + 0.79 * up)
                gloss = max(0.0, 1 - math.hypot(dx + 4.6, dy + 6.0) / 4.5) ** 1.5 * 0.85
                alpha += share
                for channel in range(3):
                    lit = colour[channel] * light
                    sums[channel] += share * (lit + (255 - lit) * gloss)
            if alpha > 0:
                picture.blend(px, py, [part / alpha for part in sums], alpha / len(places))


def draw_shadow(picture, places):
    for py in range(int(min(y for _, y in places)) - 20, int(max(y for _, y in places)) + 30):
        for px in range(int(min(x for x, _ in places)) - 22, int(max(x for x, _ in places)) + 28):
            dark = 0.0
            for x, y in places:
                away = math.hypot(px + 0.5 - x - 3, py + 0.5 - y - 5)
                dark += min(1.0, max(0.0, (RADIUS + 6 - away) / 10))
            picture.blend(px, py, (4, 22, 38), 0.5 * dark / len(places))


def draw_cue(picture, shot, t):
    """The stick: it comes, swings once, strikes, and goes."""
    since = t - shot.begin
    if not -0.56 <= since <= 0.3:
        return
    alpha = min(1.0, (since + 0.56) / 0.16, (0.3 - since) / 0.2)
    if since < 0:
        gap = 4 + 26 * math.sin(math.pi * min(1.0, (since + 0.56) / 0.56)) ** 2
    else:
        gap = 4 - min(since, 0.08) * 120
    (x, y), (dx, dy) = shot.cue[0].path.points[0], shot.cue[0].path.direction
    x, y = x + CLOTH_X - dx * (RADIUS + gap), y + CLOTH_Y - dy * (RADIUS + gap)

    def point(way):
        return x - dx * way, y - dy * way

    for begin, end, width, colour in (
        (6, 330, 5.5, (206, 160, 96)),
        (190, 330, 7.5, (70, 34, 22)),
        (3, 8, 4.5, (240, 236, 224)),
        (0, 2, 4, (60, 150, 200)),
    ):
        picture.stroke([point(begin), point(end)], width, colour, alpha, 0.0)


CLOCK = {}


def draw_clock(picture, frame):
    """Seconds and hundredths of the loop, each glyph drawn once and then copied."""
    x, y, unit = 500, 20, 14.0
    for letter in f"{frame // FPS:02}.{frame % FPS * 100 // FPS:02}":
        width = 24 if letter == "." else 48
        if (letter, x) not in CLOCK:
            glyph = Picture(bytearray(picture.data))
            for points in GLYPHS[letter]:
                glyph.stroke([(x + 8 + unit * u, y + unit * v) for u, v in points], 7, (255, 206, 84))
            CLOCK[letter, x] = [
                bytes(glyph.data[3 * (line * WIDTH + x) : 3 * (line * WIDTH + x + width)])
                for line in range(y - 6, y + 64)
            ]
        for line, row in enumerate(CLOCK[letter, x], y - 6):
            at = 3 * (line * WIDTH + x)
            picture.data[at : at + len(row)] = row
        x += width


def draw(frame, empty):
    picture = Picture(bytearray(empty))
    draw_clock(picture, frame)
    for bit in range(BITS):
        lit = frame >> (BITS - 1 - bit) & 1
        picture.square(BIT_X + bit * BIT_STEP, BIT_Y, BIT_SIZE, (255, 255, 255) if lit else (0, 0, 0))
    t = frame / FPS
    tracks = []
    for ball in range(3):
        places = [balls_at(t + sub / 5 * 0.5 / FPS)[ball] for sub in range(5)]
        still = math.dist(places[0], places[-1]) < 0.05
        tracks.append([(x + CLOTH_X, y + CLOTH_Y) for x, y in (places[:1] if still else places)])
    for places in tracks:
        draw_shadow(picture, places)
    for places, colour in zip(tracks, (WHITE, YELLOW, RED)):
        draw_ball(picture, places, colour)
    for shot in (FIRST, SECOND):
        draw_cue(picture, shot, t)
    return bytes(picture.data)


# --- how it sounds --------------------------------------------------------------------------------------------


def sound():
    """One loop of stereo samples: a quiet chord that closes on itself, and what the balls do."""
    count = AUDIO_HZ * SECONDS
    mixed = [array.array("d", bytes(8 * count)) for _ in range(2)]
    for pitch, level, wobble in ((110.0, 0.012, 1), (165.0, 0.009, 2), (220.0, 0.007, 3), (277.25, 0.005, 1)):
        for side in range(2):
            for i in range(count):
                t = i / AUDIO_HZ
                swell = 0.7 + 0.3 * math.sin(2 * math.pi * (wobble * t / SECONDS + 0.25 * side))
                mixed[side][i] += level * swell * math.sin(2 * math.pi * pitch * t)
    noise = random.Random(1)
    kinds = {
        "ball": (((2150, 1.0), (3420, 0.7), (5230, 0.35)), 0.007, 0.30, 0.10),
        "cushion": (((145, 1.0), (232, 0.5)), 0.045, 0.14, 0.05),
        "cue": (((820, 1.0), (1460, 0.5)), 0.012, 0.22, 0.20),
    }
    for begin, kind, x, strength in (*FIRST.sounds(), *SECOND.sounds()):
        partials, fall, level, rough = kinds[kind]
        pan = 0.25 + 0.5 * x / CLOTH_W
        for i in range(int(AUDIO_HZ * fall * 8)):
            t = i / AUDIO_HZ
            wave_now = sum(part * math.sin(2 * math.pi * pitch * t) for pitch, part in partials)
            wave_now += rough * noise.uniform(-1, 1)
            value = level * strength * wave_now * math.exp(-t / fall) * min(1.0, i / 24)
            at = (int(begin * AUDIO_HZ) + i) % count
            mixed[0][at] += value * (1 - pan)
            mixed[1][at] += value * pan
    return b"".join(
        struct.pack("<hh", *(int(32767 * max(-1.0, min(1.0, side[i]))) for side in mixed)) for i in range(count)
    )


def adts_loop(folder):
    """AAC of exactly one loop, cut from the middle of three so that its end meets its start."""
    loop = sound()
    wav, aac = os.path.join(folder, "a.wav"), os.path.join(folder, "a.aac")
    with wave.open(wav, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(AUDIO_HZ)
        file.writeframes(loop * 3)
    run = ["ffmpeg", "-v", "error", "-y", "-i", wav, "-c:a", "aac", "-profile:a", "aac_low", "-b:a", "96k"]
    subprocess.run([*run, "-flags", "+bitexact", "-f", "adts", aac], check=True)
    frames, data, at = [], open(aac, "rb").read(), 0
    while at < len(data):
        length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames.append(data[at : at + length])
        at += length
    # The encoder's first frame is a run-in, so the loop's samples lie one frame later.
    with open(aac, "wb") as file:
        file.write(b"".join(frames[AAC_FRAMES + 1 : 2 * AAC_FRAMES + 1]))
    return aac


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    out = os.path.join(here, "table.flv")
    empty = background()
    if len(sys.argv) == 4 and sys.argv[1] == "--frame":
        header = f"P6 {WIDTH} {HEIGHT} 255\n".encode()
        with open(sys.argv[3], "wb") as file:
            file.write(header + draw(int(sys.argv[2]), empty))
        return
    with tempfile.TemporaryDirectory() as folder:
        command = ["ffmpeg", "-v", "error", "-y"]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-"]
        command += ["-i", adts_loop(folder), "-map", "0:v", "-map", "1:a", "-c:a", "copy"]
        command += ["-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"]
        command += ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
        command += ["-c:v", "libx264", "-profile:v", "high", "-preset", "veryslow", "-crf", "13", "-bf", "2"]
        command += ["-x264-params", "keyint=60:min-keyint=60:scenecut=0:open-gop=0:b-adapt=0:threads=1:ref=3"]
        command += ["-flags", "+bitexact", "-fflags", "+bitexact", "-f", "flv", out]
        encoder = subprocess.Popen(command, stdin=subprocess.PIPE)
        for frame in range(FRAMES):
            encoder.stdin.write(draw(frame, empty))
        encoder.stdin.close()
        if encoder.wait() != 0:
            sys.exit("ffmpeg failed")
    # ffmpeg counts from the first decoding time to the last picture's end; say how long the loop is.
    with open(out, "r+b") as file:
        key = b"\x00\x08duration\x00"
        file.seek(file.read(1024).index(key) + len(key))
        file.write(struct.pack(">d", SECONDS))


if __name__ == "__main__":
    main()
