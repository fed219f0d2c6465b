import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { Button, Dialog } from "./controls";

const VIEW = 264;
const SIDE = 320;
const MAX_BYTES = 65_000; // what a profile's picture may have on its way to contacts
const MAX_ZOOM = 4;
const STEP = 12;

interface Place {
  zoom: number;
  x: number;
  y: number;
}

/** Choose the square of a picture that others see: drag or arrow keys, and how near. */
export function CropPicture({ file, title, onDone, onClose }: { file: File; title?: string; onDone: (picture: File) => void; onClose: () => void }): ReactNode {
  const t = useT();
  const canvas = useRef<HTMLCanvasElement>(null);
  const drag = useRef<{ x: number; y: number } | null>(null);
  const [bitmap, setBitmap] = useState<ImageBitmap | null>(null);
  const [broken, setBroken] = useState(false);
  const [place, setPlace] = useState<Place>({ zoom: 1, x: 0, y: 0 });

  useEffect(() => {
    let current = true;
    void load(file).then((loaded) => current && setBitmap(loaded), () => current && setBroken(true));
    return () => {
      current = false;
    };
  }, [file]);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (bitmap !== null && context) paint(context, bitmap, place, VIEW);
  }, [bitmap, place]);

  const move = (dx: number, dy: number): void => setPlace((now) => (bitmap === null ? now : within(bitmap, { ...now, x: now.x + dx, y: now.y + dy })));
  const press = (event: KeyboardEvent): void => {
    const by = ({ ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] } as Record<string, [number, number]>)[event.key];
    if (by === undefined) return;
    event.preventDefault();
    move(...by);
  };
  const pull = (event: PointerEvent): void => {
    if (drag.current === null) return;
    move(event.clientX - drag.current.x, event.clientY - drag.current.y);
    drag.current = { x: event.clientX, y: event.clientY };
  };
  return (
    <Dialog title={title ?? t("picture.title")} onClose={onClose}>
      {broken ? (
        <p className="bad" role="alert">{t("picture.broken")}</p>
      ) : (
        <>
          <canvas
            ref={canvas}
            className="crop"
            width={VIEW}
            height={VIEW}
            tabIndex={0}
            role="img"
            aria-label={t("picture.move")}
            onKeyDown={press}
            onPointerDown={(event) => { event.currentTarget.setPointerCapture(event.pointerId); drag.current = { x: event.clientX, y: event.clientY }; }}
            onPointerMove={pull}
            onPointerUp={() => { drag.current = null; }}
          />
          <label className="slider">
            <span>{t("picture.zoom")}</span>
            <input
              type="range"
              min={1}
              max={MAX_ZOOM}
              step={0.05}
              value={place.zoom}
              onChange={(event) => setPlace((now) => (bitmap === null ? now : within(bitmap, { ...now, zoom: Number(event.target.value) })))}
            />
          </label>
          <p className="hint centred">{t("picture.hint")}</p>
        </>
      )}
      <div className="dialog-actions">
        <Button onPress={onClose}>{t("common.cancel")}</Button>
        <Button kind="primary" disabled={bitmap === null} onPress={() => { if (bitmap !== null) void cut(bitmap, place).then(onDone, () => setBroken(true)); }}>{t("picture.use")}</Button>
      </div>
    </Dialog>
  );
}

/** No larger than is needed: a 50-megapixel picture is not held. */
async function load(file: File): Promise<ImageBitmap> {
  const whole = await createImageBitmap(file);
  const small = Math.min(whole.width, whole.height);
  const wanted = SIDE * MAX_ZOOM;
  if (small <= wanted) return whole;
  const scale = wanted / small;
  const shrunk = await createImageBitmap(whole, { resizeWidth: Math.round(whole.width * scale), resizeHeight: Math.round(whole.height * scale), resizeQuality: "medium" });
  whole.close();
  return shrunk;
}

/** The picture covers the square: it cannot be moved out of it. */
function within(bitmap: ImageBitmap, place: Place): Place {
  const scale = (VIEW / Math.min(bitmap.width, bitmap.height)) * place.zoom;
  const reach = { x: (bitmap.width * scale - VIEW) / 2, y: (bitmap.height * scale - VIEW) / 2 };
  const held = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value));
  return { zoom: place.zoom, x: held(place.x, reach.x), y: held(place.y, reach.y) };
}

function paint(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, bitmap: ImageBitmap, place: Place, side: number): void {
  const unit = side / VIEW;
  const scale = (side / Math.min(bitmap.width, bitmap.height)) * place.zoom;
  const width = bitmap.width * scale;
  const height = bitmap.height * scale;
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (side - width) / 2 + place.x * unit, (side - height) / 2 + place.y * unit, width, height);
}

async function cut(bitmap: ImageBitmap, place: Place): Promise<File> {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  paint(context, bitmap, place, SIDE);
  for (const quality of [0.88, 0.75, 0.6, 0.4]) {
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
    if (blob.size <= MAX_BYTES || quality === 0.4) return new File([blob], "picture.jpg", { type: "image/jpeg" });
  }
  throw new Error("unreachable");
}
