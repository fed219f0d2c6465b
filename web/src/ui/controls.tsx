// The app's few controls, on react-aria-components: keyboard, focus and names come from there.

import type { ReactNode } from "react";
import {
  Button as AriaButton,
  Dialog as AriaDialog,
  Heading,
  Input,
  Label,
  Menu as AriaMenu,
  MenuItem,
  MenuTrigger,
  Modal,
  ModalOverlay,
  Popover,
  Radio,
  RadioGroup,
  Separator,
  Switch as AriaSwitch,
  Text,
  TextField,
  Tooltip,
  TooltipTrigger,
} from "react-aria-components";
import { useT } from "../i18n/i18n";
import { Icon, type IconName } from "./icons";

interface ButtonProps {
  children: ReactNode;
  onPress?: () => void;
  kind?: "primary" | "plain" | "danger";
  disabled?: boolean;
  type?: "submit" | "button";
}

export function Button({ children, onPress, kind = "plain", disabled = false, type = "button" }: ButtonProps): ReactNode {
  return (
    <AriaButton className={`button ${kind}`} type={type} isDisabled={disabled} {...(onPress ? { onPress } : {})}>
      {children}
    </AriaButton>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  onPress?: () => void;
  active?: boolean;
  disabled?: boolean;
  badge?: number;
}

export function IconButton({ icon, label, onPress, active = false, disabled = false, badge = 0 }: IconButtonProps): ReactNode {
  return (
    <TooltipTrigger delay={600}>
      <AriaButton
        className={active ? "icon-button active" : "icon-button"}
        aria-label={label}
        isDisabled={disabled}
        {...(onPress ? { onPress } : {})}
      >
        <Icon name={icon} />
        {badge > 0 && <span className="dot" aria-hidden="true">{badge}</span>}
      </AriaButton>
      <Tooltip className="tooltip">{label}</Tooltip>
    </TooltipTrigger>
  );
}

export interface Choice {
  id: string;
  label: string;
  icon?: IconName;
  danger?: boolean;
  run: () => void;
}

interface MenuProps {
  label: string;
  choices: (Choice | "line")[];
  icon?: IconName;
  children?: ReactNode;
}

export function Menu({ label, choices, icon = "more", children }: MenuProps): ReactNode {
  return (
    <MenuTrigger>
      {children ?? (
        <AriaButton className="icon-button" aria-label={label}>
          <Icon name={icon} />
        </AriaButton>
      )}
      <Popover className="popover" placement="bottom end">
        <MenuList label={label} choices={choices} />
      </Popover>
    </MenuTrigger>
  );
}

/** The choices alone, for a popover of one's own. */
export function MenuList({ label, choices, onClose }: { label: string; choices: (Choice | "line")[]; onClose?: () => void }): ReactNode {
  const act = (key: string): void => choices.find((choice): choice is Choice => choice !== "line" && choice.id === key)?.run();
  return (
    <AriaMenu className="menu" aria-label={label} onAction={(key) => act(String(key))} {...(onClose ? { onClose, autoFocus: "first" as const } : {})}>
      {choices.map((choice, index) =>
        choice === "line" ? (
          <Separator key={`line${index}`} className="menu-line" />
        ) : (
          <MenuItem key={choice.id} id={choice.id} textValue={choice.label} className={choice.danger ? "menu-item danger" : "menu-item"}>
            {choice.icon && <Icon name={choice.icon} size={18} />}
            <Text slot="label">{choice.label}</Text>
          </MenuItem>
        ),
      )}
    </AriaMenu>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  wide?: boolean;
}

export function Dialog({ title, onClose, children, wide = false }: DialogProps): ReactNode {
  const t = useT();
  return (
    <ModalOverlay className="overlay" isOpen isDismissable onOpenChange={(open) => !open && onClose()}>
      <Modal className={wide ? "modal wide" : "modal"}>
        <AriaDialog className="dialog">
          <header className="dialog-head">
            <Heading slot="title">{title}</Heading>
            <IconButton icon="close" label={t("common.close")} onPress={onClose} />
          </header>
          <div className="dialog-body">{children}</div>
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

interface FieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  type?: "text" | "password" | "date" | "search" | "number";
  hint?: string;
  autoFocus?: boolean;
  required?: boolean;
  maxLength?: number;
  autoComplete?: string;
}

export function Field({ label, value, onChange, hint, maxLength, autoComplete = "off", ...rest }: FieldProps): ReactNode {
  return (
    <TextField
      className="field"
      value={value}
      onChange={onChange}
      type={rest.type ?? "text"}
      autoFocus={rest.autoFocus ?? false}
      isRequired={rest.required ?? false}
      autoComplete={autoComplete}
      {...(maxLength ? { maxLength } : {})}
    >
      <Label>{label}</Label>
      <Input dir="auto" />
      {hint && <Text slot="description">{hint}</Text>}
    </TextField>
  );
}

export function Switch({ label, hint, on, onChange }: { label: string; hint?: string; on: boolean; onChange: (on: boolean) => void }): ReactNode {
  return (
    <AriaSwitch className="switch" isSelected={on} onChange={onChange}>
      <span className="switch-text">
        <span>{label}</span>
        {hint && <span className="hint">{hint}</span>}
      </span>
      <span className="track" aria-hidden="true"><span className="thumb" /></span>
    </AriaSwitch>
  );
}

interface OptionsProps<V extends string> {
  label: string;
  value: V;
  options: readonly { value: V; label: string; hint?: string }[];
  onChange: (value: V) => void;
  row?: boolean;
}

export function Options<V extends string>({ label, value, options, onChange, row = false }: OptionsProps<V>): ReactNode {
  return (
    <RadioGroup className={row ? "options row" : "options"} value={value} onChange={(next) => onChange(next as V)}>
      <Label>{label}</Label>
      <div className="options-list">
        {options.map((option) => (
          <Radio key={option.value} value={option.value} className="option">
            <span>{option.label}</span>
            {option.hint && <span className="hint">{option.hint}</span>}
          </Radio>
        ))}
      </div>
    </RadioGroup>
  );
}
