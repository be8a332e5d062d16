// Keys in files of one folder, and in the credentials that systemd hands over: by their names.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/security/key_source.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fulmar::admin {

/// What is told of a key: never its bytes, nor a digest of them.
struct key_report {
    std::string name;
    security::key_state state{};
    bool tls = false;          ///< of TLS; else of DH-HMAC-CHAP, or nobody can tell
    std::string why = {};      ///< it is not usable, or is kept from before
    bool credential = false;   ///< systemd has handed it over
    std::uint32_t former = 0;  ///< keys that are still accepted beside it
};

/// A file holds a key in its first line, of DH-HMAC-CHAP or of TLS; behind it those of the same
/// kind that are accepted as well, each with " until=" and seconds since 1970, or for as long as it
/// is there. Lines that begin with '#' are for people. The file must be readable by its owner
/// alone, who is root or we.
class key_store final : public security::key_source {
  public:
    using clock = std::chrono::system_clock;
    static constexpr std::chrono::seconds usual_grace = std::chrono::hours(24);

    /// `folder` is where set() writes; `credentials` may be empty. Reads nothing yet.
    key_store(std::string folder, std::string credentials);
    ~key_store() override;

    // These touch files. Called on: main thread before others run, then admin thread.
    /// Reads all keys anew, and logs those that are not usable. One that was usable, and whose file
    /// is there still but cannot be read or is none now, stays as it was; its report says why.
    void load();
    /// From now on that is the key; the former one is accepted for `grace` more.
    /// Errors: invalid_argument, conflict (a credential), limit_reached, those of the files.
    result<void> set(const std::string& name, std::string_view text, std::chrono::seconds grace);
    /// Errors: not_found, conflict (a credential), those of the files.
    result<void> remove(const std::string& name);

    // Called on: any thread.
    [[nodiscard]] std::vector<key_report> list() const;
    [[nodiscard]] security::key_state state_of(std::string_view name) const noexcept override;
    [[nodiscard]] result<std::vector<security::dhchap_key>> find(
        std::string_view name) const override;
    [[nodiscard]] security::key_state tls_state_of(std::string_view name) const noexcept override;
    [[nodiscard]] result<std::vector<security::tls_key>> find_tls(
        std::string_view name) const override;

  private:
    using any_key = std::variant<security::dhchap_key, security::tls_key>;
    struct held {
        any_key key;
        clock::time_point until = clock::time_point::max();
    };
    struct entry {
        std::vector<held> keys;
        std::string why = {};
        bool credential = false;
    };
    using entries = std::map<std::string, entry, std::less<>>;
    /// False: the folder cannot be read.
    bool scan(const std::string& folder, bool credential, entries& into) const;
    [[nodiscard]] bool is_known_credential(const std::string& name) const;
    void keep_former(entries& into, bool credentials_read, bool folder_read);
    [[nodiscard]] static result<std::vector<held>> read(const std::string& path, bool credential);
    [[nodiscard]] static result<std::vector<held>> parse(std::string_view text);
    [[nodiscard]] static security::secret write(const std::vector<held>& keys);
    [[nodiscard]] result<void> store(const std::string& name, std::string_view text) const;
    /// The one called `name`, of keys of that kind.
    template <typename Key>
    [[nodiscard]] security::key_state state_of_kind(std::string_view name) const noexcept;
    template <typename Key>
    [[nodiscard]] result<std::vector<Key>> find_kind(std::string_view name) const;
    [[nodiscard]] std::string path_of(std::string_view name) const;

    const std::string folder_;
    const std::string credentials_;
    mutable std::mutex mutex_;
    entries entries_;
};

}  // namespace fulmar::admin
