type Text = string | undefined

export function shout(text: Text): string {
  return (text ?? '').toUpperCase() + '!'
}
