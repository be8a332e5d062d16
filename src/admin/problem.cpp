#include <fulmar/admin/problem.hpp>

#include <fmt/format.h>

namespace fulmar::admin {

std::string problem::text(const std::string& file) const {
    std::string out = file;
    if (line != 0) out += fmt::format(":{}", line);
    if (!out.empty()) out += ": ";
    if (!pointer.empty()) out += pointer + ": ";
    out += message;
    if (!remedy.empty()) out += fmt::format(" ({})", remedy);
    return out;
}

std::vector<std::string> problem_list::lines(const std::string& file) const {
    std::vector<std::string> out;
    for (const problem& p : kept_) out.push_back(p.text(file));
    if (dropped_ != 0)
        out.push_back(fmt::format("{}: and {} more problems; mend these first", file, dropped_));
    return out;
}

error problem_list::first(const std::string& file) const {
    if (kept_.empty()) return {};
    const problem& p = kept_.front();
    std::string where = file;
    if (p.line != 0) where += fmt::format(":{}", p.line);
    if (!p.pointer.empty()) where += (where.empty() ? "" : " ") + p.pointer;
    return {errc::invalid_argument, p.message, std::move(where), p.remedy};
}

}  // namespace fulmar::admin
