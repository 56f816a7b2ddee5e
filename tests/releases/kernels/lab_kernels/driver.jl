# Reads cells from stdin (mark, length, code), runs them, and prints the mark with the value or the error.
using Base64
while !eof(stdin)
    mark, size = split(readline(stdin))
    code = String(read(stdin, parse(Int, size)))
    status, text = try
        value = include_string(Main, code, "cell")
        quiet = value === nothing || endswith(rstrip(code), ";")
        "ok", quiet ? "" : Base.invokelatest(repr, MIME("text/plain"), value)
    catch error
        "error", Base.invokelatest(sprint, showerror, error)
    end
    flush(stdout)
    print(stderr, "\n", mark, "\n")
    print(stdout, "\n", mark, " ", status, " ", base64encode(text), "\n")
    flush(stdout)
    flush(stderr)
end
