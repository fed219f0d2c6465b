import { useEffect, useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Avatar } from "../ui/Avatar";
import { PicturePicker } from "../ui/PicturePicker";

interface Props {
  id: string;
  name: string;
  picture?: string;
  chosen: File | null;
  onChosen: (file: File) => void;
}

/** A group's picture as it is, or as it will be. */
export function GroupPicture({ id, name, picture = "", chosen, onChosen }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [url, setUrl] = useState("");
  useEffect(() => {
    if (chosen === null) return;
    const made = URL.createObjectURL(chosen);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [chosen]);
  return (
    <PicturePicker onPicked={onChosen} title={t("group.picture")}>
      {chosen !== null && url !== "" ? (
        <span className="avatar large"><img src={url} alt="" /></span>
      ) : (
        <Avatar id={id} name={name} picture={picture} client={roost.client} size="large" />
      )}
    </PicturePicker>
  );
}
