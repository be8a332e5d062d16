// The config file as a file: reading it, the paths in it, and writing changes back into it.
#include "json_tree.hpp"
#include "section_fields.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/core/device_paths.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <map>

namespace fulmar::admin {

namespace {

/// The whole file. Not a pipe, which could block for ever, nor anything larger than a config may
/// be.
result<std::string> read_whole(const std::string& path) {
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return fail_errno("cannot open the file", errno, path);
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return fail_errno("cannot read the file", errno, path);
    if (!S_ISREG(about.st_mode)) return fail(errc::invalid_argument, "is not a regular file", path);
    std::string text;
    std::array<char, 64 * 1024> block{};
    while (text.size() <= config_bounds.bytes) {
        const ssize_t got = ::read(file.get(), block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("cannot read the file", errno, path);
        if (got == 0) return text;
        text.append(block.data(), static_cast<std::size_t>(got));
    }
    return fail(errc::invalid_argument,
                fmt::format("is larger than {} MiB", config_bounds.bytes >> 20), path);
}

}  // namespace

std::string folder_of(const std::string& path) {
    std::error_code ignored;
    const auto absolute = std::filesystem::absolute(path, ignored);
    return absolute.lexically_normal().parent_path().string();
}

std::string resolve_path(const std::string& path, const std::string& folder) {
    if (path.empty() || path.front() == '/') return path;
    return (std::filesystem::path(folder) / path).lexically_normal().string();
}

void resolve_paths(daemon_config& config, const std::string& folder) {
    const auto resolve = [&](std::string& path) { path = resolve_path(path, folder); };
    resolve(config.options.admin.unix_socket);
    if (config.options.admin.tcp) resolve(config.options.admin.tcp->token_file);
    for (admin_listener& one : config.options.admin.listeners) {
        resolve(one.certificate);
        resolve(one.key);
        resolve(one.client_ca);
    }
    resolve(config.options.admin.tokens);
    if (config.options.files.allow)
        for (std::string& pattern : *config.options.files.allow) resolve(pattern);
    resolve(config.options.state_dir);
    for (core::device_spec& device : config.spec.devices)
        for (const auto path : core::device_paths) resolve(device.*path);
}

std::string digest_of(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned length = 0;
    EVP_Digest(text.data(), text.size(), raw.data(), &length, EVP_sha256(), nullptr);
    std::string out;
    for (unsigned i = 0; i < length; ++i) out += fmt::format("{:02x}", raw[i]);
    return out;
}

namespace {

tl::expected<loaded_config, problem_list> load(const std::string& path,
                                               config_outcome (*parse)(std::string_view,
                                                                       const std::string&)) {
    result<std::string> text = read_whole(path);
    if (!text) {
        problem_list problems;
        problems.add({"", 0, text.error().message, text.error().remedy});
        return tl::unexpected(std::move(problems));
    }
    config_outcome config = parse(*text, folder_of(path));
    if (!config) return tl::unexpected(std::move(config).error());
    resolve_paths(*config, folder_of(path));
    loaded_config out{std::move(*config), std::move(*text), {}};
    out.digest = digest_of(out.text);
    return out;
}

}  // namespace

tl::expected<loaded_config, problem_list> load_config(const std::string& path) {
    return load(path, parse_config);
}

tl::expected<loaded_config, problem_list> load_config_leniently(const std::string& path) {
    return load(path, parse_config_leniently);
}

namespace {

/// Equal for paths that lead to one file; a file that is not there yet is known by where it would
/// be.
std::string file_identity(const std::string& path) {
    struct stat about {};
    if (::stat(path.c_str(), &about) == 0) {
        if (S_ISBLK(about.st_mode)) return fmt::format("block device {}", about.st_rdev);
        return fmt::format("inode {} of {}", about.st_ino, about.st_dev);
    }
    std::error_code failed;
    const auto real = std::filesystem::weakly_canonical(path, failed);
    return failed ? path : real.string();
}

}  // namespace

problem_list check_files(const loaded_config& loaded) {
    problem_list problems;
    problem_list ignored;  // the text was accepted before
    const std::optional<json_node> root = parse_json(loaded.text, config_bounds, ignored);
    const json_node* array = root ? root->find("devices") : nullptr;
    const std::vector<core::device_spec>& devices = loaded.config.spec.devices;
    std::map<std::string, std::size_t> first;
    for (std::size_t i = 0; array != nullptr && i < devices.size(); ++i) {
        if (devices[i].path.empty()) continue;
        const auto [same, fresh] = first.emplace(file_identity(devices[i].path), i);
        if (fresh) continue;
        const auto line = [&](std::size_t of) {
            const json_node* node = array->items[of].find("path");
            return node != nullptr ? node->line : array->items[of].line;
        };
        problems.add({fmt::format("/devices/{}/path", i), line(i),
                      fmt::format("is the file of device \"{}\" in line {}",
                                  devices[same->second].name, line(same->second)),
                      "one file backs one device"});
    }
    return problems;
}

namespace {

using nlohmann::ordered_json;

/// The object of `now` with that NQN; null when there is none.
ordered_json* find_subsystem(ordered_json& now, const std::string& nqn) {
    if (!now.contains("subsystems")) return nullptr;
    for (ordered_json& one : now["subsystems"])
        if (one["nqn"] == nqn) return &one;
    return nullptr;
}

/// Puts the text of a broken object of `before` where it belongs in `now`.
void keep_broken(const broken_object& broken, const ordered_json& before, ordered_json& now) {
    using kind = broken_object::kind;
    const ordered_json& old = before.at(ordered_json::json_pointer(broken.pointer));
    switch (broken.what) {
        case kind::listener: now["listeners"].push_back(old); return;
        case kind::device: now["devices"].push_back(old); return;
        case kind::referral: now["referrals"].push_back(old); return;
        case kind::subsystem: now["subsystems"].push_back(old); return;
        case kind::ns:
        case kind::allow_list: break;
    }
    ordered_json* in = find_subsystem(now, broken.nqn);
    if (in == nullptr) return;  // it went with its subsystem
    if (broken.what == kind::ns) {
        (*in)["namespaces"].push_back(old);
        return;
    }
    for (const char* key : {"hosts", "allow_any_host"}) {
        in->erase(key);
        if (old.contains(key)) (*in)[key] = old[key];
    }
}

}  // namespace

std::string render_config(std::string_view text, const core::target_spec& spec) {
    ordered_json root = ordered_json::parse(text, nullptr, false);
    if (!root.is_object()) root = ordered_json::object();
    const ordered_json before = root;
    const auto put = [&](const char* key, const auto& specs, auto&& write) {
        ordered_json array = ordered_json::array();
        for (const auto& one : specs) array.push_back(write(one));
        if (!array.empty() || root.contains(key)) root[key] = std::move(array);
    };
    put("listeners", spec.listeners, [](const auto& one) { return to_json(one); });
    put("devices", spec.devices, [](const auto& one) { return to_json(one, document::file); });
    put("subsystems", spec.subsystems,
        [](const auto& one) { return to_json(one, document::file); });
    put("referrals", spec.referrals, [](const auto& one) { return to_json(one); });
    if (const config_outcome read = parse_config_leniently(text))
        for (const broken_object& one : read->broken) keep_broken(one, before, root);
    return root.dump(2) + "\n";
}

std::vector<std::string> changed_options(const daemon_options& from, const daemon_options& to) {
    std::vector<std::string> out;
    for_each_section([&](const auto& section) {
        const auto& a = section.part(from);
        const auto& b = section.part(to);
        if (!section.name.empty() && !core::same(section.table, a, b))
            out.push_back(fmt::format("/{}", section.name));
        for (const auto& one : section.table)
            if (section.name.empty() && !core::same(one, a, b))
                out.push_back(fmt::format("/{}", one.facts.name));
    });
    return out;
}

}  // namespace fulmar::admin
