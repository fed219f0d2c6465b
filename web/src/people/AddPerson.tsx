import { useEffect, useState, type ReactNode } from "react";
import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import type { AddedContact } from "../api/direct";
import type { InvitationView } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { Button, Dialog, Switch } from "../ui/controls";
import { Qr } from "../ui/Qr";
import { Icon } from "../ui/icons";
import { Scanner } from "../ui/Scanner";
import { isInvitation, useAsk } from "./adding";
import { FollowLink } from "./FollowLink";
import { Nearby } from "./Nearby";

/** Becoming contacts: show an invitation, or follow a link, which may lead into a group or a channel too. */
export function AddPerson({ onClose, onAdded, onMore }: { onClose: () => void; onAdded: (id: string) => void; onMore: (what: "group" | "channel") => void }): ReactNode {
  const t = useT();
  const [tab, setTab] = useState("show");
  const [link, setLink] = useState("");
  const [other, setOther] = useState(false);
  const scanned = (text: string): void => {
    setOther(!isInvitation(text));
    if (!isInvitation(text)) return;
    setLink(text);
    setTab("open");
  };
  return (
    <Dialog title={t("add.title")} onClose={onClose}>
      <Tabs className="tabs" selectedKey={tab} onSelectionChange={(key) => { setTab(String(key)); setOther(false); }}>
        <TabList aria-label={t("add.title")} className="tab-list">
          <Tab id="show" className="tab">{t("add.show")}</Tab>
          <Tab id="scan" className="tab">{t("add.scan")}</Tab>
          <Tab id="nearby" className="tab">{t("nearby.tab")}</Tab>
          <Tab id="open" className="tab">{t("add.open")}</Tab>
        </TabList>
        <TabPanel id="show"><ShowInvitation onClose={onClose} onAdded={onAdded} /></TabPanel>
        <TabPanel id="scan">
          <Scanner onText={scanned} hint={t("add.scanHow")} />
          {other && <p className="bad" role="alert">{t("add.notInvitation")}</p>}
        </TabPanel>
        <TabPanel id="nearby"><Nearby onClose={onClose} onAdded={onAdded} /></TabPanel>
        <TabPanel id="open"><FollowLink key={link} found={link} onClose={onClose} onAdded={onAdded} /></TabPanel>
      </Tabs>
      <div className="add-more">
        <Button onPress={() => onMore("group")}><Icon name="people" size={18} />{t("group.new")}</Button>
        <Button onPress={() => onMore("channel")}><Icon name="channel" size={18} />{t("channel.new")}</Button>
      </div>
    </Dialog>
  );
}

function ShowInvitation({ onClose, onAdded }: { onClose: () => void; onAdded: (id: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [reusable, setReusable] = useState(false);
  const [made, setMade] = useState<InvitationView | null>(null);
  const [busy, setBusy] = useState(false);
  const make = async (): Promise<void> => {
    setBusy(true);
    await roost.attemptTo(async () => setMade(await roost.client.call("invite", { one_time: !reusable })));
    setBusy(false);
  };
  const copy = (): void => void navigator.clipboard.writeText(made?.link ?? "").then(() => notify(t("add.copied")));
  if (made === null) {
    return (
      <>
        <p>{t("add.showHow")}</p>
        <Switch label={t("add.reusable")} hint={t("add.reusableHint")} on={reusable} onChange={setReusable} />
        <div className="dialog-actions"><Button kind="primary" onPress={() => void make()} disabled={busy}>{t(busy ? "common.wait" : "add.make")}</Button></div>
        <Open />
      </>
    );
  }
  return (
    <>
      <Qr text={made.link} />
      <p className="hint centred">{t(made.kind === "one-time" ? "add.oneTimeNote" : "add.reusableNote")}</p>
      <p className="link-box" dir="ltr" data-testid="invitation">{made.link}</p>
      <div className="dialog-actions"><Button kind="primary" onPress={copy}>{t("add.copy")}</Button></div>
      <InPerson onClose={onClose} onAdded={onAdded} />
    </>
  );
}

/** Two people beside each other: while one's own code is shown, theirs is scanned. Whoever comes second makes them contacts. */
function InPerson({ onClose, onAdded }: { onClose: () => void; onAdded: (id: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const ask = useAsk();
  const [scanning, setScanning] = useState(false);
  const [other, setOther] = useState(false);
  const [asked, setAsked] = useState<AddedContact | null>(null);
  const accepted = useStore(roost.conversations).get(asked?.contact ?? "")?.state === "accepted";
  useEffect(() => {
    if (asked === null || !accepted) return;
    onAdded(asked.contact);
    onClose();
  }, [asked, accepted, onAdded, onClose]);
  const scanned = (text: string): void => {
    setOther(!isInvitation(text));
    if (!isInvitation(text)) return;
    setScanning(false);
    void roost.attemptTo(async () => setAsked(await ask(text.trim())));
  };
  if (asked !== null) return <p role="status">{t("add.nowYours")}</p>;
  if (!scanning) {
    return (
      <div className="stacked">
        <p className="hint">{t("add.inPerson")}</p>
        <Button onPress={() => setScanning(true)}>{t("add.scanTheirs")}</Button>
      </div>
    );
  }
  return (
    <>
      <Scanner onText={scanned} hint={t("add.scanHow")} />
      {other && <p className="bad" role="alert">{t("add.notInvitation")}</p>}
    </>
  );
}

/** Invitations that still work, to be ended. */
function Open(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [rows, setRows] = useState<InvitationView[]>([]);
  useEffect(() => {
    void roost.client.call("invitations", {}).then(setRows).catch(() => undefined);
  }, [roost]);
  const revoke = (id: string): void =>
    void roost.attemptTo(async () => {
      await roost.client.call("revoke", { invitation: id });
      setRows((held) => held.filter((row) => row.id !== id));
    });
  if (rows.length === 0) return null;
  return (
    <>
      <h3>{t("add.openOnes")}</h3>
      <ul className="plain-list">
        {rows.map((row) => (
          <li key={row.id}>
            <span className="grow">{t(row.followed ? "add.followed" : row.kind === "one-time" ? "add.oneTime" : "add.reusableShort")}</span>
            <Button onPress={() => revoke(row.id)}>{t("add.revoke")}</Button>
          </li>
        ))}
      </ul>
    </>
  );
}
