# SPDX-License-Identifier: MIT OR Apache-2.0
# Joins sketches into one C++ source that declares those of its functions that are used before they are defined,
# each in front of what first uses it, so that it knows the types above that. What a sketch calls like a function
# that is in this C library and in no Arduino's (`unsigned long time;`) gets another name.
#
# It looks at what stands outside of braces, without comments and strings: a head of the form
# `type name(arguments)` is a function's. Templates, classes' functions, and what has default arguments are left
# alone.

# The line without comments and without what is in quotes.
function code(line,    out, c, d, quote) {
	out = ""
	while (line != "") {
		if (comment) {
			c = index(line, "*/")
			if (!c)
				return out
			line = substr(line, c + 2)
			comment = 0
			out = out " "
			continue
		}
		c = substr(line, 1, 1)
		d = substr(line, 1, 2)
		if (d == "//")
			return out
		if (d == "/*") {
			comment = 1
			line = substr(line, 3)
			continue
		}
		if (c == "\"" || c == "'") {
			quote = c
			line = substr(line, 2)
			while (line != "" && substr(line, 1, 1) != quote)
				line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
			line = substr(line, 2)
			out = out quote quote
			continue
		}
		out = out c
		line = substr(line, 2)
	}
	return out
}

# What stood before a brace: is it the head of a function?
function head_of_function(head,    name, before) {
	gsub(/[ \t]+/, " ", head)
	sub(/^ /, "", head)
	sub(/ $/, "", head)
	if (head !~ /^[A-Za-z_][A-Za-z_0-9 *&<>:,]*[ *&][A-Za-z_][A-Za-z_0-9]* ?\([^()]*(\([^()]*\)[^()]*)*\)$/)
		return ""
	before = head
	sub(/\(.*/, "", before)
	if (before ~ /::/ && before ~ /::[ ]*[A-Za-z_0-9~]+ ?$/)
		return ""
	if (before ~ /^(class|struct|union|enum|namespace|template|extern|typedef|using|return|else|if|for|while|switch|do)( |$)/ && before !~ /^(struct|enum|union) [A-Za-z_0-9]+ [*&]*[A-Za-z_]/)
		return ""
	if (head ~ /^ISR ?\(/ || before ~ /[<,]/ && before !~ />/)
		return ""
	return head ";"
}

function name_of(head) {
	sub(/ ?\(.*/, "", head)
	sub(/.*[ *&]/, "", head)
	return head
}

# Notes what a declaration outside of braces calls like something of this C library.
function declares(head,    count, part, i) {
	gsub(/[ \t]+/, " ", head)
	sub(/^ /, "", head)
	if (head !~ /^((volatile|static|const|unsigned|signed|long|short|int|char|float|double|bool|boolean|byte|word|void|String|size_t|u?int(8|16|32|64)_t)[ *]+)+[A-Za-z_]/)
		return
	sub(/ ?\(.*/, "", head)
	count = split(head, part, ",")
	for (i = 1; i <= count; i++) {
		sub(/ ?[=[].*/, "", part[i])
		sub(/ $/, "", part[i])
		sub(/.*[ *]/, "", part[i])
		if (part[i] in taken) {
			renamed[part[i]] = 1
			renames = 1
		}
	}
}

# A line with the other names, but for members, and what is in quotes.
function with_names(line,    out, before, name) {
	if (!renames || line ~ /^[ \t]*#[ \t]*include/)
		return line
	out = ""
	while (match(line, /[A-Za-z_][A-Za-z_0-9]*|"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/)) {
		before = out substr(line, 1, RSTART - 1)
		name = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		if (name in renamed && before !~ /(\.|->|::)[ \t]*$/)
			name = "app_shim_sketch_" name
		out = before name
	}
	return out line
}

BEGIN {
	split("alarm clock close daylight dup environ gamma index j0 j1 link nice open pause pipe read remove rename " \
	      "select sleep swab sync time timezone write y0 y1 yn", names, " ")
	for (i in names)
		taken[names[i]] = 1
}

{
	source[++lines] = $0
	file[lines] = FILENAME
	number[lines] = FNR
	if (FNR == 1) {
		comment = 0
		head = ""
		depth = 0
	}
	if (!continued && !comment && $0 ~ /^[ \t]*#/ || continued) {
		continued = $0 ~ /\\$/
		if (depth == 0)
			head = ""
		next
	}
	text = code($0)
	words = split(text, word, /[^A-Za-z_0-9]+/)
	for (i = 1; i <= words; i++)
		if (!(word[i] in user))
			user[word[i]] = begin ? begin : lines
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "{") {
			if (depth == 0) {
				declares(head)
				found = head_of_function(head)
				name = name_of(found)
				# Where it is the first to use its name, nobody needs to be told.
				if (found != "" && found !~ /=/ && !(name in known) && user[name] < begin)
					declared[user[name]] = declared[user[name]] found "\n"
				head = ""
			}
			depth++
		} else if (c == "}") {
			if (depth > 0)
				depth--
			if (depth == 0) {
				head = ""
				begin = 0
			}
		} else if (depth == 0 && c == ";") {
			declares(head)
			found = head_of_function(head)
			if (found != "")
				known[name_of(found)] = 1
			head = ""
			begin = 0
		} else if (depth == 0) {
			if (!begin && c != " " && c != "\t")
				begin = lines
			head = head c
		}
	}
	if (depth == 0)
		head = head " "
}

END {
	print "#include <Arduino.h>"
	for (i = 1; i <= lines; i++) {
		printf "%s", with_names(declared[i])
		if (i == 1 || declared[i] != "" || file[i] != file[i - 1])
			printf "#line %d \"%s\"\n", number[i], file[i]
		print with_names(source[i])
	}
}
