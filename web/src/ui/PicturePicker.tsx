import { useRef, useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { Button } from "./controls";
import { CropPicture } from "./CropPicture";

/** A picture beside a button that chooses another; `onPicked` gets the square that was cut out. */
export function PicturePicker({ children, onPicked, title }: { children: ReactNode; onPicked: (picture: File) => void; title?: string }): ReactNode {
  const t = useT();
  const input = useRef<HTMLInputElement>(null);
  const [chosen, setChosen] = useState<File | null>(null);
  return (
    <div className="picture-row">
      {children}
      <input
        ref={input}
        type="file"
        accept="image/*"
        hidden
        data-testid="picture"
        onChange={(event) => { setChosen(event.target.files?.[0] ?? null); event.target.value = ""; }}
      />
      <Button onPress={() => input.current?.click()}>{t("profile.picture")}</Button>
      {chosen !== null && <CropPicture file={chosen} {...(title ? { title } : {})} onDone={(picture) => { setChosen(null); onPicked(picture); }} onClose={() => setChosen(null)} />}
    </div>
  );
}
