import { useEffect, useRef, useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { Button } from "./controls";

type State = "starting" | "looking" | "refused" | "nothing";

const EVERY_MS = 150;
const WIDTH = 640; // pixels that are looked at: enough for a code that fills a third of the view
const MAX_SIDE = 1600;

/** Looks for a QR code with the camera, or in a picture; each text that is found is told once. */
export function Scanner({ onText, hint }: { onText: (text: string) => void; hint: string }): ReactNode {
  const t = useT();
  const video = useRef<HTMLVideoElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const told = useRef(onText);
  told.current = onText;
  const [state, setState] = useState<State>("starting");

  useEffect(() => {
    let stop: () => void = () => undefined;
    let ended = false;
    void look(video, setState, (text) => told.current(text)).then((end) => {
      stop = end;
      if (ended) end();
    });
    return () => {
      ended = true;
      stop();
    };
  }, []);

  const fromPicture = async (file: File): Promise<void> => {
    const { decode } = await import("./decodeQr");
    const found = decode(await pixels(file));
    if (found === null) setState((now) => (now === "looking" ? now : "nothing"));
    else told.current(found);
  };
  return (
    <div className="scanner">
      <div className="scanner-view" hidden={state === "refused"}>
        <video ref={video} muted playsInline aria-label={t("scan.view")} />
        <span className="scanner-frame" aria-hidden="true" />
      </div>
      <p className={state === "refused" ? "bad" : "hint centred"} role="status">{state === "refused" ? t("scan.refused") : state === "nothing" ? t("scan.nothing") : hint}</p>
      <input ref={input} type="file" accept="image/*" hidden data-testid="qr-picture" onChange={(event) => { const file = event.target.files?.[0]; if (file) void fromPicture(file).catch(() => setState("nothing")); event.target.value = ""; }} />
      <div className="dialog-actions"><Button onPress={() => input.current?.click()}>{t("scan.picture")}</Button></div>
    </div>
  );
}

/** Opens the camera and looks at it until the returned function is called. */
async function look(video: { current: HTMLVideoElement | null }, say: (state: State) => void, tell: (text: string) => void): Promise<() => void> {
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
  } catch {
    say("refused");
    return () => undefined;
  }
  const element = video.current;
  const end = (): void => stream.getTracks().forEach((track) => track.stop());
  if (element === null) return end;
  element.srcObject = stream;
  await element.play().catch(() => undefined);
  const { decode } = await import("./decodeQr");
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  say("looking");
  let last = "";
  const timer = window.setInterval(() => {
    if (context === null || element.videoWidth === 0) return;
    canvas.width = WIDTH;
    canvas.height = Math.round((WIDTH * element.videoHeight) / element.videoWidth);
    context.drawImage(element, 0, 0, canvas.width, canvas.height);
    const found = decode(context.getImageData(0, 0, canvas.width, canvas.height));
    if (found === null || found === last) return;
    last = found;
    tell(found);
  }, EVERY_MS);
  return () => {
    window.clearInterval(timer);
    element.srcObject = null;
    end();
  };
}

async function pixels(file: File): Promise<ImageData> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
