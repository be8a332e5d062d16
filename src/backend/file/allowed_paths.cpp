// Which paths devices may be on that nobody trusted has named. Any thread. Must never: tell of a
// path that it refuses whether there is something.
#include <fulmar/backend/allowed_paths.hpp>

#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace fulmar::backend {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view whole_folder = "/**";
constexpr std::string_view disks_folder = "/dev/";  // in which nobody but root makes links

struct path_rules {
    std::mutex lock;
    std::optional<std::vector<std::string>> patterns;
    std::set<std::string> trusted;
};

path_rules& rules() {
    static path_rules all;
    return all;
}

std::string plain_path(const std::string& path) {
    std::error_code failure;
    return fs::absolute(path, failure).lexically_normal().string();
}

/// Links followed as far as there is something.
std::string linkless_path(const std::string& path) {
    std::error_code failure;
    const auto out = fs::weakly_canonical(fs::absolute(path, failure), failure);
    return failure ? plain_path(path) : out.string();
}

bool matches(const std::string& pattern, const std::string& path) {
    if (!pattern.ends_with(whole_folder))
        return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
    const std::string folder = pattern.substr(0, pattern.size() - whole_folder.size());
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1))
        if (::fnmatch(folder.c_str(), path.substr(0, at).c_str(), FNM_PATHNAME) == 0) return true;
    return false;
}

/// The folders of a pattern that have no signs in them are the operator's: their links are
/// followed.
std::string linkless_pattern(const std::string& pattern) {
    const std::size_t sign = pattern.find_first_of("*?[\\");
    const std::size_t slash = pattern.rfind('/', sign);
    if (slash == std::string::npos || slash == 0) return pattern;
    return linkless_path(pattern.substr(0, slash)) + pattern.substr(slash);
}

/// "/dev/disk/by-id/…": such a name is what the operator wants to say, and it leads to a disk.
bool names_a_disk(const std::string& pattern, const std::string& path, const std::string& place) {
    const std::string said = plain_path(path);
    struct stat found {};
    return said.starts_with(disks_folder) && matches(pattern, said) &&
           place.starts_with(disks_folder) && ::stat(place.c_str(), &found) == 0 &&
           S_ISBLK(found.st_mode);
}

}  // namespace

void confine_devices(std::optional<std::vector<std::string>> patterns) {
    const std::lock_guard guard(rules().lock);
    rules().patterns = std::move(patterns);
}

void trust_path(const std::string& path) {
    const std::lock_guard guard(rules().lock);
    if (!path.empty()) rules().trusted.insert(plain_path(path));
}

bool is_confined(const std::string& path) {
    const std::lock_guard guard(rules().lock);
    return rules().patterns && !rules().trusted.contains(plain_path(path));
}

bool fits_path_pattern(const std::string& pattern, const std::string& path) {
    return matches(linkless_pattern(pattern), path);
}

result<std::string> allowed_place(const std::string& path) {
    std::vector<std::string> patterns;
    {
        const std::lock_guard guard(rules().lock);
        if (rules().patterns) patterns = *rules().patterns;
    }
    const std::string place = linkless_path(path);
    const bool allowed =
        std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
            return fits_path_pattern(pattern, place) || names_a_disk(pattern, path, place);
        });
    if (allowed) return place;
    return fail(errc::permission_denied,
                fmt::format("{} is no path that REST may name{}", path,
                            place == plain_path(path) ? "" : ", since it leads elsewhere"),
                "/path",
                "\"files\": {\"allow\": […]} in the configuration says which ones it may; or name "
                "it in the configuration file");
}

}  // namespace fulmar::backend
