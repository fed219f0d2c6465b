import { useEffect, useRef, useState } from "react";
import type { VoiceNote } from "../api/types";
import { useT } from "../i18n/i18n";
import { notify } from "../state/toasts";

const BARS = 64;
const LISTEN_MS = 50;
const ENDINGS: Record<string, string> = { "audio/mp4": "m4a", "audio/ogg": "ogg", "audio/webm": "weba" };

interface Recorder {
  possible: boolean;
  recording: boolean;
  seconds: number;
  /** How loud it was lately, 0 to 255, to be drawn while it goes on. */
  lately: number[];
  start: () => void;
  finish: () => void;
  discard: () => void;
}

interface Recording {
  recorder: MediaRecorder;
  context: AudioContext;
  timer: number;
  begun: number;
  levels: number[];
}

/** A voice note from the microphone, as an audio file with what its recipient sees of it. */
export function useRecorder(onFile: (file: File, voice: VoiceNote) => void): Recorder {
  const t = useT();
  const [recording, setRecording] = useState(false);
  const [seconds, setSeconds] = useState(0);
  const [lately, setLately] = useState<number[]>([]);
  const active = useRef<Recording | null>(null);
  const wanted = useRef(false);
  const possible = typeof MediaRecorder !== "undefined" && navigator.mediaDevices !== undefined;

  useEffect(() => () => stop(false), []);

  function stop(keep: boolean): void {
    wanted.current = keep;
    const { current } = active;
    active.current = null;
    if (current !== null) {
      window.clearInterval(current.timer);
      current.recorder.stop();
      void current.context.close();
    }
    setRecording(false);
    setSeconds(0);
    setLately([]);
  }

  async function begin(): Promise<void> {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
      const recorder = new MediaRecorder(stream);
      const parts: Blob[] = [];
      const levels: number[] = [];
      const begun = performance.now();
      recorder.ondataavailable = (event) => parts.push(event.data);
      recorder.onstop = () => {
        for (const track of stream.getTracks()) track.stop();
        const type = recorder.mimeType.split(";")[0] ?? "audio/webm";
        if (!wanted.current || parts.length === 0) return;
        const file = new File(parts, `voice.${ENDINGS[type] ?? "weba"}`, { type });
        onFile(file, { duration_ms: Math.round(performance.now() - begun), waveform: condensed(levels) });
      };
      const { context, level } = listen(stream);
      const timer = window.setInterval(() => {
        levels.push(level());
        setSeconds(Math.floor((performance.now() - begun) / 1000));
        setLately(levels.slice(-BARS));
      }, LISTEN_MS);
      recorder.start();
      active.current = { recorder, context, timer, begun, levels };
      setRecording(true);
    } catch {
      notify(t("voice.refused"), "error");
    }
  }

  return { possible, recording, seconds, lately, start: () => void begin(), finish: () => stop(true), discard: () => stop(false) };
}

/** How loud it is at the moment, 0 to 255. */
function listen(stream: MediaStream): { context: AudioContext; level: () => number } {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 4096; // longer than the pause between two looks: nothing falls in between
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    context,
    level: () => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      return Math.min(255, Math.round(Math.sqrt(power) * 900));
    },
  };
}

/** As many bars as are sent: the loudest of what falls into each. */
export function condensed(levels: readonly number[], bars = BARS): number[] {
  const count = Math.min(bars, levels.length);
  return Array.from({ length: count }, (_, index) =>
    Math.max(0, ...levels.slice(Math.floor((index * levels.length) / count), Math.floor(((index + 1) * levels.length) / count))),
  );
}
