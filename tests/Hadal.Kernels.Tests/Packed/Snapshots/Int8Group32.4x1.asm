; Int8Group32.4x1: 975 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x38]
L1:
    vpxord       zmm4, zmm4, zmm4
    vpxord       zmm5, zmm5, zmm5
    vpxord       zmm6, zmm6, zmm6
    vpxord       zmm7, zmm7, zmm7
    mov          esi, [rdi+0x3c]
    cmp          ecx, 1
    cmove        esi, [rdi+0x40]
L2:
    vpbroadcastd zmm0, [r9]
    vpbroadcastd zmm1, [r9]
    vpbroadcastd zmm2, [r9]
    vpbroadcastd zmm3, [r9]
    add          r9, 4
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm8, [rax]
    vmovdqu64    zmm9, [rax+0x40]
    vmovdqu64    zmm10, [rax+0x80]
    vmovdqu64    zmm11, [rax+0xc0]
    vpbroadcastd zmm12, [rdx]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vmovdqu64    zmm8, [rax+0x100]
    vmovdqu64    zmm9, [rax+0x140]
    vmovdqu64    zmm10, [rax+0x180]
    vmovdqu64    zmm11, [rax+0x1c0]
    vpbroadcastd zmm12, [rdx+4]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vmovdqu64    zmm8, [rax+0x200]
    vmovdqu64    zmm9, [rax+0x240]
    vmovdqu64    zmm10, [rax+0x280]
    vmovdqu64    zmm11, [rax+0x2c0]
    vpbroadcastd zmm12, [rdx+8]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vmovdqu64    zmm8, [rax+0x300]
    vmovdqu64    zmm9, [rax+0x340]
    vmovdqu64    zmm10, [rax+0x380]
    vmovdqu64    zmm11, [rax+0x3c0]
    vpbroadcastd zmm12, [rdx+0xc]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2400]
    prefetcht0   [rax+0x2440]
    prefetcht0   [rax+0x2480]
    prefetcht0   [rax+0x24c0]
    vmovdqu64    zmm8, [rax+0x400]
    vmovdqu64    zmm9, [rax+0x440]
    vmovdqu64    zmm10, [rax+0x480]
    vmovdqu64    zmm11, [rax+0x4c0]
    vpbroadcastd zmm12, [rdx+0x10]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2500]
    prefetcht0   [rax+0x2540]
    prefetcht0   [rax+0x2580]
    prefetcht0   [rax+0x25c0]
    vmovdqu64    zmm8, [rax+0x500]
    vmovdqu64    zmm9, [rax+0x540]
    vmovdqu64    zmm10, [rax+0x580]
    vmovdqu64    zmm11, [rax+0x5c0]
    vpbroadcastd zmm12, [rdx+0x14]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2600]
    prefetcht0   [rax+0x2640]
    prefetcht0   [rax+0x2680]
    prefetcht0   [rax+0x26c0]
    vmovdqu64    zmm8, [rax+0x600]
    vmovdqu64    zmm9, [rax+0x640]
    vmovdqu64    zmm10, [rax+0x680]
    vmovdqu64    zmm11, [rax+0x6c0]
    vpbroadcastd zmm12, [rdx+0x18]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    prefetcht0   [rax+0x2700]
    prefetcht0   [rax+0x2740]
    prefetcht0   [rax+0x2780]
    prefetcht0   [rax+0x27c0]
    vmovdqu64    zmm8, [rax+0x700]
    vmovdqu64    zmm9, [rax+0x740]
    vmovdqu64    zmm10, [rax+0x780]
    vmovdqu64    zmm11, [rax+0x7c0]
    vpbroadcastd zmm12, [rdx+0x1c]
    vpdpbusd     zmm0, zmm8, zmm12
    vpdpbusd     zmm1, zmm9, zmm12
    vpdpbusd     zmm2, zmm10, zmm12
    vpdpbusd     zmm3, zmm11, zmm12
    add          rax, 0x800
    add          rdx, 0x20
    vcvtph2ps    zmm8, [rax]
    vcvtph2ps    zmm9, [rax+0x20]
    vcvtph2ps    zmm10, [rax+0x40]
    vcvtph2ps    zmm11, [rax+0x60]
    vcvtdq2ps    zmm0, zmm0
    vfmadd231ps  zmm4, zmm0, zmm8
    vcvtdq2ps    zmm1, zmm1
    vfmadd231ps  zmm5, zmm1, zmm9
    vcvtdq2ps    zmm2, zmm2
    vfmadd231ps  zmm6, zmm2, zmm10
    vcvtdq2ps    zmm3, zmm3
    vfmadd231ps  zmm7, zmm3, zmm11
    add          rax, 0x80
    dec          esi
    jne          near L2
    vmovups      zmm8, [r11]
    vfmadd231ps  zmm8, zmm4, [r8]{1to16}
    vmovups      [r11], zmm8
    vmovups      zmm9, [r11+0x40]
    vfmadd231ps  zmm9, zmm5, [r8]{1to16}
    vmovups      [r11+0x40], zmm9
    vmovups      zmm10, [r11+0x80]
    vfmadd231ps  zmm10, zmm6, [r8]{1to16}
    vmovups      [r11+0x80], zmm10
    vmovups      zmm11, [r11+0xc0]
    vfmadd231ps  zmm11, zmm7, [r8]{1to16}
    vmovups      [r11+0xc0], zmm11
    add          r8, 4
    dec          ecx
    jne          near L1
    vzeroupper
    ret
