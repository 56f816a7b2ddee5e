"A package that a user may add."
module Greeting

greet() = "good day"

end
