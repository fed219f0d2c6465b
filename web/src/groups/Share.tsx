import type { ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { notify } from "../state/toasts";
import { Button } from "../ui/controls";
import { Qr } from "../ui/Qr";

/** A link to be given away: as a code to be scanned, as text, and copied. */
export function Share({ link, children }: { link: string; children?: ReactNode }): ReactNode {
  const t = useT();
  const copy = (): void => void navigator.clipboard.writeText(link).then(() => notify(t("add.copied")));
  return (
    <>
      <Qr text={link} />
      <p className="link-box" dir="ltr" tabIndex={0} data-testid="invitation">{link}</p>
      <div className="dialog-actions">
        {children}
        <Button kind="primary" onPress={copy}>{t("add.copy")}</Button>
      </div>
    </>
  );
}
