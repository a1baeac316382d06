export const never = () => 'no one imports this'
