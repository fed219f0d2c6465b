import { useState, type ReactNode } from "react";
import type { GroupInfo } from "../api/groups";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Button, Dialog, Switch } from "../ui/controls";
import { useChange } from "./changing";
import { Share } from "./Share";

/** The link by which people come in, and whether they come in at once. */
export function GroupLink({ info, onClose }: { info: GroupInfo; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const [busy, setBusy] = useState(false);
  const { group } = info;
  const ask = async (request: { revoke?: boolean; renew?: boolean }): Promise<void> => {
    setBusy(true);
    await roost.attemptTo(async () => {
      await roost.client.call("group-link", { group, ...request });
      await roost.groups.load(group);
    });
    setBusy(false);
  };
  const approve = async (approval: boolean): Promise<void> => {
    setBusy(true);
    await change(() => roost.client.call("group-permissions", { group, approval }));
    setBusy(false);
  };
  return (
    <Dialog title={t("group.link")} onClose={onClose}>
      <p>{t(info.approval ? "group.linkApproval" : "group.linkOpen")}</p>
      {info.may.includes("administer") && <Switch label={t("permission.approval")} on={info.approval} onChange={(on) => void approve(on)} />}
      {info.link === "" ? (
        <div className="dialog-actions"><Button kind="primary" disabled={busy} onPress={() => void ask({})}>{t(busy ? "common.wait" : "group.linkMake")}</Button></div>
      ) : (
        <Share link={info.link}>
          <Button kind="danger" disabled={busy} onPress={() => void ask({ revoke: true })}>{t("group.linkEnd")}</Button>
          <Button disabled={busy} onPress={() => void ask({ renew: true })}>{t("group.linkRenew")}</Button>
        </Share>
      )}
      <p className="hint">{t("group.linkYours")}</p>
    </Dialog>
  );
}
