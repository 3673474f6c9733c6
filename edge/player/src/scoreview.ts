// The score on the page of a channel or a recording: which is known, which is shown of it, and where a click on it leads.

import { ApiError, openNews, recordedScore, score } from "./api";
import { el } from "./dom";
import { replayPath } from "./home";
import { clipLink, type Reach } from "./reach";
import { Reel } from "./reel";
import { ScoreLog, type Entry } from "./score";
import { Scoreboard } from "./scoreboard";
import { ScoreFeed } from "./scorefeed";
import { onAt, Recorded } from "./scores";
import { choices, scoreSettings, type Choices } from "./scoresettings";
import { ShareLine } from "./shareline";
import { SheetPanel } from "./sheetpanel";

/** How often the score of a recording is asked for, in milliseconds: as it is being made, and as more of it may be known. */
const RECORDED_MS = 5_000;

/** What the score needs of the page. */
export interface Stage {
  channel: string;
  /** The recording that is played, or that is being made of what is live; `null` where there is none. */
  recording(): string | null;
  /** Whether that is what is played. */
  recorded(): boolean;
  /** The moment that the picture shows, on the media timeline, in milliseconds; `null` where there is none. */
  at_ms(): number | null;
  /** There is no picture to follow: the newest score is shown. */
  blind(): boolean;
  /** How far a viewer has come who is to know nothing later; `null`: everything may be known. */
  reach(): Reach | null;
  /** What can still come. */
  goesOn(): boolean;
  goTo(at_ms: number): void;
  /** What else is written in the viewer's language is to be written anew. */
  languageChanged(): void;
  sessionEnded(): Promise<void>;
}

export class ScoreView {
  readonly board = new Scoreboard();
  /** Goes under the picture. */
  readonly below: HTMLElement;
  #stage: Stage;
  #live = new ScoreLog();
  #recorded = new Recorded();
  #recordedOf: string | null = null;
  #sheet: SheetPanel;
  #share = new ShareLine();
  /** Highlights that are played one after another. */
  #reel = new Reel();
  #seen_ms = Number.NEGATIVE_INFINITY;
  #choices: Choices;
  #entry: Entry | null = null;
  #heard_ms = 0;
  #asking: ReturnType<typeof setTimeout> | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#sheet = new SheetPanel({
      goTo: (at_ms) => {
        this.#reel.stop();
        stage.goTo(at_ms);
      },
      play: (reel) => {
        const first_ms = this.#reel.play(reel);
        if (first_ms !== null) stage.goTo(first_ms);
      },
      share: (stretch) => this.share(stretch),
      canShare: () => stage.recording() !== null,
    });
    this.#choices = choices(stage.channel);
    const settings = scoreSettings(stage.channel, (chosen, language) => {
      this.#choices = chosen;
      this.#choose();
      if (language) stage.languageChanged();
      this.draw(0);
    });
    this.below = el("div", { class: "score-below" }, this.board.sheet, this.#share.line, this.#sheet.element, settings);
    this.#choose();
  }

  start(live: boolean): void {
    if (live) {
      const feed = new ScoreFeed(this.#live, {
        open: (after) => openNews(this.#stage.channel, after),
        ask: (after) => score(this.#stage.channel, after),
        sessionEnded: () => this.#stage.sessionEnded(),
        changed: () => this.draw(0),
        later: (act, ms) => setTimeout(act, ms),
      });
      feed.start();
    }
    void this.#askRecorded();
  }

  #choose(): void {
    const { large, hidden } = this.#choices;
    for (const part of [this.board.board, this.below]) part.classList.toggle("large", large);
    this.board.hide(hidden);
  }

  /** Offers a stretch to others. */
  share(stretch: { from_ms: number; to_ms: number }): void {
    const recording = this.#stage.recording();
    if (recording === null) return;
    this.#share.offer(clipLink(location.origin, replayPath(this.#stage.channel, recording), stretch));
  }

  /** Draws the score of the picture at `ahead_s` after the media clock's reading. */
  draw(ahead_s: number): void {
    const blind = this.#stage.blind();
    const shown_ms = blind ? Number.MAX_SAFE_INTEGER : this.#stage.at_ms();
    const at_ms = shown_ms === null ? null : shown_ms + ahead_s * 1000 - this.#choices.nudge_ms;
    const logs = this.#logs();
    const log = at_ms === null ? null : onAt(logs, at_ms);
    const entry = log === null || at_ms === null ? null : log.entryAt(at_ms);
    // Without a picture, the shot clock counts from when its entry was heard of.
    const now_ms = performance.now();
    if (entry !== this.#entry) [this.#entry, this.#heard_ms] = [entry, now_ms];
    const after_ms = blind ? now_ms - this.#heard_ms : (at_ms ?? 0) - (entry?.at_ms ?? 0);
    this.board.draw(log?.match ?? null, entry?.state ?? null, { at_ms: at_ms ?? 0, after_ms }, now_ms);
    if (at_ms !== null && !blind) this.#follow(at_ms);
    this.#sheet.draw(log === null || at_ms === null ? null : { log, at_ms, until_ms: this.#until_ms(), logs });
  }

  /** The matches that may be shown. What is played now is newer at the feed; what was played before, only recordings know. */
  #logs(): readonly ScoreLog[] {
    if (!this.#stage.recorded()) return [this.#live];
    const now = this.#live.match?.match;
    if (now === undefined || this.#stage.reach() !== null || !this.#stage.goesOn()) return this.#recorded.logs;
    return [...this.#recorded.logs.filter(({ match }) => match?.match !== now), this.#live];
  }

  /** The sheet tells nothing that the viewer is not to know, and of what is live nothing before its picture. */
  #until_ms(): number {
    const reach = this.#stage.reach();
    if (reach !== null) return reach.seen_ms;
    return this.#stage.recorded() || this.#stage.blind() ? Number.POSITIVE_INFINITY : this.#seen_ms;
  }

  /** The picture shows this moment: highlights are played on to the next one. */
  #follow(at_ms: number): void {
    this.#seen_ms = Math.max(this.#seen_ms, at_ms);
    this.#stage.reach()?.see(at_ms);
    const next_ms = this.#reel.see(at_ms);
    if (next_ms !== null) this.#stage.goTo(next_ms);
  }

  /** The score of the recording, as far as the viewer may know it. */
  async #askRecorded(): Promise<void> {
    clearTimeout(this.#asking);
    const recording = this.#stage.recorded() ? this.#stage.recording() : null;
    const reach = this.#stage.reach();
    let again = this.#stage.goesOn() || reach !== null || recording === null;
    if (recording !== null && (again || recording !== this.#recordedOf)) {
      try {
        const documents = await recordedScore(this.#stage.channel, recording, reach?.score_ms ?? null);
        // Meanwhile the viewer may have turned to something else, or want to know less.
        if (reach === this.#stage.reach() && recording === this.#stage.recording() && this.#stage.recorded()) {
          this.#recorded.take(documents);
          this.#recordedOf = recording;
          this.draw(0);
        } else again = true;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 401) await this.#stage.sessionEnded();
        again = true;
      }
    }
    if (again) this.#asking = setTimeout(() => void this.#askRecorded(), RECORDED_MS);
  }

  /** Another recording is played, or as much of it as there is may be known now. */
  refresh(): void {
    this.#recordedOf = null;
    this.#recorded = new Recorded();
    void this.#askRecorded();
  }
}
