import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import type { NearbyView } from "../api/direct";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { Confirm } from "../ui/Confirm";
import { Button } from "../ui/controls";
import { cleanName, duration } from "../ui/text";
import { useAsk } from "./adding";
import { Requests } from "./Requests";

const SHOWN_MIN = 5;
const AGAIN_MS = 10_000; // the agent shows somebody for half a minute after it was asked last

interface Person {
  name: string;
  link: string;
}

/** People who show themselves on the local network, and showing oneself; it ends when this view is left. */
export function Nearby({ onClose, onAdded }: { onClose: () => void; onAdded: (id: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const ask = useAsk();
  const changes = useStore(roost.nearby);
  const [view, setView] = useState<NearbyView | null>(null);
  const [left, setLeft] = useState(0); // seconds that one is still shown
  const [asked, setAsked] = useState<Person | null>(null);
  const [busy, setBusy] = useState(false);
  const showing = useRef(false);

  const look = useCallback(
    async (show?: boolean): Promise<void> => setView(await roost.client.call("nearby", show === undefined ? {} : { show })),
    [roost],
  );
  useEffect(() => void look().catch(() => undefined), [look, changes]);
  useEffect(() => {
    const again = window.setInterval(() => void look(showing.current || undefined).catch(() => undefined), AGAIN_MS);
    return () => {
      window.clearInterval(again);
      if (showing.current) void roost.client.call("nearby", { show: false }).catch(() => undefined);
    };
  }, [look, roost]);

  const hide = useCallback((): void => {
    showing.current = false;
    setLeft(0);
    void roost.attemptTo(() => look(false));
  }, [look, roost]);
  const show = async (): Promise<void> => {
    setBusy(true);
    if (await roost.attemptTo(() => look(true))) {
      showing.current = true;
      setLeft(SHOWN_MIN * 60);
    }
    setBusy(false);
  };
  useEffect(() => {
    if (left <= 0) return undefined;
    const tick = window.setTimeout(() => (left > 1 ? setLeft(left - 1) : hide()), 1000);
    return () => window.clearTimeout(tick);
  }, [left, hide]);

  const add = async (person: Person): Promise<void> => {
    setAsked(null);
    setBusy(true);
    const worked = await roost.attemptTo(async () => {
      const { contact } = await ask(person.link, "", person.name);
      if (contact !== "") onAdded(contact);
    });
    setBusy(false);
    if (worked) onClose();
  };
  const people = view?.people ?? [];
  return (
    <>
      <p>{t("nearby.what")}</p>
      {left > 0 ? (
        <div className="notice">
          <p>{t("nearby.shown", { name: cleanName(view?.name ?? ""), time: duration(left * 1000) })}</p>
          <Button onPress={hide}>{t("nearby.hide")}</Button>
        </div>
      ) : (
        <div className="stacked">
          <Button kind="primary" disabled={busy} onPress={() => void show()}>{t("nearby.show", { n: SHOWN_MIN })}</Button>
          <p className="hint">{t("nearby.showHow")}</p>
        </div>
      )}
      <Requests nearby onAccepted={(id) => { onAdded(id); onClose(); }} />
      <h3>{t("nearby.list")}</h3>
      <div role="status">
        {people.length === 0 && <p className="hint">{t("nearby.nobody")}</p>}
        <ul className="pick-list" aria-label={t("nearby.list")}>
          {people.map((person) => (
            <li key={person.link}>
              <button type="button" disabled={busy} onClick={() => setAsked(person)}>
                <Avatar id={person.link} name={person.name} size="small" />
                <bdi>{cleanName(person.name)}</bdi>
              </button>
            </li>
          ))}
        </ul>
      </div>
      {asked && <Confirm title={t("add.ask")} text={t("nearby.confirm", { name: cleanName(asked.name) })} onClose={() => setAsked(null)} onConfirm={() => void add(asked)} />}
    </>
  );
}
