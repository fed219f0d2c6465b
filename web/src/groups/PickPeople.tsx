import { useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { Field } from "../ui/controls";
import { cleanName } from "../ui/text";

interface Props {
  chosen: ReadonlySet<string>;
  onChosen: (chosen: ReadonlySet<string>) => void;
  /** Who is in it already. */
  without?: ReadonlySet<string>;
}

const NOBODY: ReadonlySet<string> = new Set();
const SEARCHED_FROM = 7;

/** Contacts to choose from; those who are chosen stay in sight whatever is searched. */
export function PickPeople({ chosen, onChosen, without = NOBODY }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [words, setWords] = useState("");
  const people = [...useStore(roost.conversations).values()]
    .filter((row) => row.kind === "direct" && row.state === "accepted" && !without.has(row.id))
    .sort((one, other) => one.name.localeCompare(other.name));
  const wanted = words.toLocaleLowerCase();
  const shown = people.filter((row) => chosen.has(row.id) || row.name.toLocaleLowerCase().includes(wanted));
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChosen(next);
  };
  if (people.length === 0) return <p className="hint">{t(without.size > 0 ? "group.nobodyElse" : "group.nobody")}</p>;
  return (
    <div className="pick-people">
      {people.length >= SEARCHED_FROM && <Field label={t("list.search")} value={words} onChange={setWords} type="search" />}
      <ul className="pick-list" aria-label={t("group.people")}>
        {shown.map((row) => (
          <li key={row.id}>
            <label className="pick-person">
              <input type="checkbox" checked={chosen.has(row.id)} onChange={() => toggle(row.id)} />
              <Avatar id={row.id} name={row.name} picture={row.picture} client={roost.client} size="small" />
              <bdi>{cleanName(row.name)}</bdi>
            </label>
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p className="hint">{t("find.none")}</p>}
      <p className="hint" role="status">{chosen.size > 0 ? t("group.chosen.other", { n: chosen.size }) : ""}</p>
    </div>
  );
}
