import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import type { Attachment } from "../api/types";
import { useT } from "../i18n/i18n";
import { Icon } from "../ui/icons";
import { duration } from "../ui/text";

const BARS = 48;
const SPEEDS = [1, 1.5, 2];
const STEP_S = 5;

/** The bars that are drawn, whatever number the sender told: 0 to 1. */
export function barsOf(waveform: readonly number[]): number[] {
  if (waveform.length === 0) return Array.from({ length: BARS }, () => 0.12);
  const most = Math.max(48, ...waveform);
  return Array.from({ length: BARS }, (_, index) => {
    const from = Math.floor((index * waveform.length) / BARS);
    const to = Math.max(from + 1, Math.floor(((index + 1) * waveform.length) / BARS));
    return Math.max(0.08, Math.max(...waveform.slice(from, to)) / most);
  });
}

export function Wave({ waveform, share }: { waveform: readonly number[]; share: number }): ReactNode {
  return (
    <svg className="wave" viewBox={`0 0 ${BARS * 4} 28`} preserveAspectRatio="none" aria-hidden="true">
      {barsOf(waveform).map((bar, index) => (
        <rect key={index} className={index < share * BARS ? "heard" : ""} x={index * 4 + 0.7} y={14 - bar * 13} width={2.6} height={bar * 26} rx={1.3} />
      ))}
    </svg>
  );
}

/** Something spoken: play, seek along its waveform, faster. One plays at a time. */
export function VoiceNote({ url, file, onRefused }: { url: string; file: Attachment; onRefused: () => void }): ReactNode {
  const t = useT();
  const audio = useRef<HTMLAudioElement>(null);
  const [playing, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [speed, setSpeed] = useState(0);
  const length = file.duration_ms / 1000;
  const share = length === 0 ? 0 : Math.min(1, at / length);

  useEffect(() => {
    if (!playing) return;
    let frame = requestAnimationFrame(function follow() {
      setAt(audio.current?.currentTime ?? 0);
      frame = requestAnimationFrame(follow);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing]);

  const toggle = (): void => {
    const element = audio.current;
    if (element === null) return;
    if (!element.paused) {
      element.pause();
      return;
    }
    for (const other of document.querySelectorAll("audio, video")) if (other instanceof HTMLMediaElement && other !== element) other.pause();
    void element.play().catch(() => undefined);
  };
  const seek = (seconds: number): void => {
    if (audio.current === null || length === 0) return;
    audio.current.currentTime = Math.max(0, Math.min(seconds, length - 0.05));
    setAt(audio.current.currentTime);
  };
  const point = (event: PointerEvent<HTMLElement>): void => {
    const box = event.currentTarget.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * length);
  };
  const keys = (event: KeyboardEvent): void => {
    const step = { ArrowRight: STEP_S, ArrowUp: STEP_S, ArrowLeft: -STEP_S, ArrowDown: -STEP_S }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    seek(at + step);
  };
  const faster = (): void => {
    const next = (speed + 1) % SPEEDS.length;
    setSpeed(next);
    if (audio.current) audio.current.playbackRate = SPEEDS[next] ?? 1;
  };

  return (
    <div className="voice-note" role="group" aria-label={t("voice.note")}>
      <audio
        ref={audio}
        src={url}
        preload="none"
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => { setPlaying(false); setAt(0); }}
        onError={onRefused}
      />
      <button type="button" className="voice-play" onClick={toggle} aria-label={t(playing ? "voice.pause" : "voice.play")}>
        <Icon name={playing ? "pause" : "play"} />
      </button>
      <div
        className="voice-line"
        role="slider"
        tabIndex={0}
        aria-label={t("voice.position")}
        aria-valuemin={0}
        aria-valuemax={Math.round(length)}
        aria-valuenow={Math.round(at)}
        aria-valuetext={duration(at * 1000)}
        onPointerDown={point}
        onKeyDown={keys}
      >
        <Wave waveform={file.waveform} share={share} />
      </div>
      <span className="voice-time">{duration(playing || at > 0 ? at * 1000 : file.duration_ms)}</span>
      {playing && (
        <button type="button" className="voice-speed" onClick={faster} aria-label={t("voice.speed")}>{SPEEDS[speed]}×</button>
      )}
    </div>
  );
}
