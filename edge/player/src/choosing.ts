// What plays of what a presentation gives to choose from: how high a picture, which sound, or the sound alone.

import { type ErrorData, ErrorDetails, Events, type Fragment, type default as Hls } from "hls.js";
import { hasAt, LEAST_S } from "./gaps";
import { Keeper, placeOf, type Quality, remembered, SOUND_ONLY } from "./quality";
import { type Sound, placeOf as placeOfSound, remembered as rememberedSound } from "./sounds";
import { type Coming, Thin } from "./thin";
import { isLess, NOTHING, type Offer, offer, soundAlone } from "./variants";

/** After a gap in the sound that was chosen, it is tried again so much later, in milliseconds. */
const SOUND_AWAY_MS = 30_000;

export class Choosing {
  /** Takes what is chosen from the beginning: hls.js can't do it by itself. */
  #again: () => void;
  #hls: Hls | null = null;
  #offer: Offer = NOTHING;
  /** The playlist that gives it. */
  #taken = "";
  /** It plays the sound alone. */
  #alone = false;
  #quality: Quality = remembered();
  #keeper = new Keeper();
  /** The number of the gap that was found to be filled last. */
  #filled: Fragment["sn"] | null = null;
  #sound = rememberedSound();
  #soundTimer: ReturnType<typeof setTimeout> | undefined;
  #thin = new Thin();

  constructor(again: () => void) {
    this.#again = again;
  }

  /** Takes a multivariant playlist of one pathway, and gives it as it is to be played. */
  take(playlist: string): string {
    [this.#offer, this.#taken] = [offer(playlist), playlist];
    this.#alone = this.#quality === SOUND_ONLY && this.#offer.alone;
    return this.#alone ? soundAlone(playlist, this.#voice()) : playlist;
  }

  /** Sees that this plays what is chosen. */
  attach(hls: Hls): void {
    this.#hls = hls;
    hls.on(Events.MANIFEST_PARSED, () => this.#chooseLevel(hls));
    hls.on(Events.AUDIO_TRACKS_UPDATED, () => this.#chooseTrack(hls));
    // Once it is buffered, hls.js asks for the next one before anybody else hears of it.
    hls.on(Events.FRAG_LOADED, (_event, { frag, part }) => this.#keepLevel(hls, frag, part ?? frag));
    hls.on(Events.FRAG_LOADING, (_event, { frag, part }) => this.#asks(frag, part ?? frag));
    hls.on(Events.FRAG_LOADED, (_event, { frag }) => this.#ends(frag, true));
    hls.on(Events.FRAG_LOAD_EMERGENCY_ABORTED, (_event, { frag }) => this.#ends(frag, false));
    hls.on(Events.ERROR, (_event, data) => this.#failed(hls, data));
  }

  /** It plays nothing for now. */
  detach(): void {
    clearTimeout(this.#soundTimer);
    this.#hls = null;
    this.#thin.forget();
  }

  /** What there is to choose from; nothing where the browser plays by itself. */
  get offer(): Offer {
    return this.#offer;
  }

  /** Whether a multivariant playlist only gives less to choose from, and has what plays. */
  isLess(playlist: string): boolean {
    const [level, track] = [this.#hls?.levels[this.#hls.loadLevel]?.uri, this.#hls?.audioTracks[this.#hls.audioTrack]?.url];
    return isLess(playlist, this.#taken, [level, track].flatMap((address) => address || []));
  }

  /** Whether it plays the sound alone. */
  get alone(): boolean {
    return this.#alone;
  }

  /** Whether the line is too thin for the lowest picture, where the sound alone could be had. */
  get tooThin(): boolean {
    return this.#offer.alone && !this.#alone && this.#thin.look(performance.now());
  }

  /** Plays pictures of this height, or none; `null`: as high as the line allows. */
  choose(quality: Quality): void {
    this.#quality = quality;
    const alone = quality === SOUND_ONLY && this.#offer.alone;
    if (alone !== this.#alone) this.#again();
    else if (this.#hls !== null) this.#chooseLevel(this.#hls);
  }

  #heights(hls: Hls): number[] {
    return hls.levels.map(({ height }) => height);
  }

  /** The place of the picture that is chosen, of those that there are; -1 where none is, or nothing plays. */
  get place(): number {
    return this.#hls === null ? -1 : placeOf(this.#heights(this.#hls), this.#quality);
  }

  #chooseLevel(hls: Hls): void {
    const { place } = this;
    // What is buffered goes on; before anything is, it begins there.
    if (place !== -1 || !hls.autoLevelEnabled) hls.nextLevel = place;
  }

  /** Goes back to what the viewer chose, where hls.js has left it: from what is loaded next on, and what is buffered plays. */
  #keepLevel(hls: Hls, frag: Fragment, { end }: { readonly end: number }): void {
    const { place } = this;
    const left = place !== -1 && hls.autoLevelEnabled;
    const goesOn = isPicture(frag) ? hasAt(hls.levels[place]?.details?.fragments ?? [], end) : null;
    if (this.#keeper.goesBack(left, goesOn, performance.now())) hls.loadLevel = place;
  }

  /** The sounds that there are; none where the browser plays by itself, or where the picture brings its own. */
  get sounds(): readonly Sound[] {
    if (this.#alone) return this.#offer.sounds;
    return this.#hls?.audioTracks.map(({ name, lang }) => ({ name, language: lang ?? "" })) ?? [];
  }

  /** The place of the sound that plays. */
  get soundPlaying(): number {
    return this.#alone ? this.#voice() : (this.#hls?.audioTrack ?? -1);
  }

  /** Plays this sound. */
  chooseSound(sound: Sound): void {
    const before = this.#voice();
    this.#sound = sound;
    if (this.#hls === null) return;
    if (!this.#alone) this.#chooseTrack(this.#hls);
    else if (this.#voice() !== before) this.#again();
  }

  /** The place of the sound that is chosen, of those that there are. */
  #voice(): number {
    const place = placeOfSound(this.#offer.sounds, this.#sound);
    return place === -1 ? this.#offer.standard : place;
  }

  #chooseTrack(hls: Hls): void {
    const place = placeOfSound(this.sounds, this.#sound);
    if (place !== -1 && hls.audioTrack !== place) hls.audioTrack = place;
  }

  #failed(hls: Hls, { details, frag }: ErrorData): void {
    if (frag !== undefined && isPicture(frag)) this.#thin.fails();
    if (details === ErrorDetails.FRAG_GAP && frag?.type === "main" && frag.level === this.place) this.#pictureLacks(hls, frag);
    if (details === ErrorDetails.FRAG_GAP && frag?.type === "audio") this.#soundLacks(hls);
  }

  /** What is chosen has a gap. Where another rendition filled it but for a frame, it stays chosen: hls.js goes on behind it. */
  #pictureLacks(hls: Hls, { level, sn, end }: Fragment): void {
    const ahead = hls.hasEnoughToStart ? hls.mainForwardBufferInfo : null;
    const isFilled = ahead !== null && ahead.len > 0 && end - ahead.end < LEAST_S;
    if (isFilled && sn !== this.#filled) [this.#filled, hls.loadLevel] = [sn, level];
    else this.#keeper.lacks();
  }

  /** What is chosen lacks something, over which hls.js would jump, picture and all: meanwhile the default is heard. */
  #soundLacks(hls: Hls): void {
    const place = hls.audioTracks.findIndex((sound) => sound.default);
    if (place === -1 || place === hls.audioTrack) return;
    hls.audioTrack = place;
    clearTimeout(this.#soundTimer);
    this.#soundTimer = setTimeout(() => {
      if (hls === this.#hls) this.#chooseTrack(hls);
    }, SOUND_AWAY_MS);
  }

  #asks(frag: Fragment, coming: Coming): void {
    if (!isPicture(frag)) return;
    // hls.js has the lowest picture first.
    if (frag.level > 0) this.#thin.forget();
    else this.#thin.asks(coming, frag.duration * 1000);
  }

  #ends(frag: Fragment, came: boolean): void {
    if (isPicture(frag) && frag.level === 0) this.#thin.ends(came, performance.now());
  }
}

const isPicture = ({ type, sn }: Fragment): boolean => type === "main" && sn !== "initSegment";
