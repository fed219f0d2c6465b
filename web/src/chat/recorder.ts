import { useEffect, useRef, useState } from "react";
import { useT } from "../i18n/i18n";
import { notify } from "../state/toasts";

interface Recorder {
  possible: boolean;
  recording: boolean;
  seconds: number;
  start: () => void;
  finish: () => void;
  discard: () => void;
}

/** A voice note from the microphone, as an audio file. */
export function useRecorder(onFile: (file: File) => void): Recorder {
  const t = useT();
  const [recording, setRecording] = useState(false);
  const [seconds, setSeconds] = useState(0);
  const active = useRef<MediaRecorder | null>(null);
  const wanted = useRef(false);
  const possible = typeof MediaRecorder !== "undefined" && navigator.mediaDevices !== undefined;

  useEffect(() => {
    if (!recording) return;
    const timer = window.setInterval(() => setSeconds((value) => value + 1), 1000);
    return () => window.clearInterval(timer);
  }, [recording]);

  useEffect(() => () => stop(false), []);

  function stop(keep: boolean): void {
    wanted.current = keep;
    active.current?.stop();
    active.current = null;
    setRecording(false);
    setSeconds(0);
  }

  async function begin(): Promise<void> {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const recorder = new MediaRecorder(stream);
      const parts: Blob[] = [];
      recorder.ondataavailable = (event) => parts.push(event.data);
      recorder.onstop = () => {
        for (const track of stream.getTracks()) track.stop();
        const type = recorder.mimeType.split(";")[0] ?? "audio/webm";
        const ending = type === "audio/mp4" ? "m4a" : type === "audio/ogg" ? "ogg" : "weba";
        if (wanted.current && parts.length > 0) onFile(new File(parts, `voice.${ending}`, { type }));
      };
      recorder.start();
      active.current = recorder;
      setRecording(true);
    } catch {
      notify(t("voice.refused"), "error");
    }
  }

  return { possible, recording, seconds, start: () => void begin(), finish: () => stop(true), discard: () => stop(false) };
}
