import type { ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { IconButton } from "../ui/controls";

interface Props {
  count: number;
  onForward: () => void;
  onDelete: () => void;
  onCopy: () => void;
  onClose: () => void;
}

export function SelectionBar({ count, onForward, onDelete, onCopy, onClose }: Props): ReactNode {
  const t = useT();
  const none = count === 0;
  return (
    <div className="selection-bar" role="toolbar" aria-label={t("select.bar")}>
      <IconButton icon="close" label={t("common.cancel")} onPress={onClose} />
      <span className="grow" role="status">{t("select.count.other", { n: count })}</span>
      <IconButton icon="copy" label={t("message.copy")} onPress={onCopy} disabled={none} />
      <IconButton icon="forward" label={t("message.forward")} onPress={onForward} disabled={none} />
      <IconButton icon="trash" label={t("message.delete")} onPress={onDelete} disabled={none} />
    </div>
  );
}
